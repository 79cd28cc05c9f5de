"""Crystals on one grid, and elements that may be read."""

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure

from xtalcodec.codecs.misfit import Misfit
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.codecs.together import encode_together
from xtalcodec.crystal import Crystal
from xtalcodec.networks.hoffmann import HoffmannConfig
from xtalcodec.representations.unit_cell import UnitCellConfig

PLACES = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]


def perovskite(a_site: str, a: float) -> Crystal:
    structure = Structure.from_spacegroup("Pm-3m", Lattice.cubic(a), [a_site, "Ti", "O"], PLACES)
    return Crystal.from_pymatgen(structure, f"{a_site}TiO3")


ENDS = [perovskite("Sr", 3.905), perovskite("Ba", 4.0)]


def test_both_come_back_from_one_grid_and_one_origin(mp):
    counts = []
    latents = encode_together(mp, ENDS, (2, 2, 3), progress=counts.append)
    assert counts == [2]
    assert [code.patches for code in latents] == [(2, 2, 3)] * 2
    assert np.array_equal(latents[0].origin, latents[1].origin)
    for end, found in zip(ENDS, mp.decode_crystals(latents), strict=True):
        assert np.allclose(found.crystal.lattice, end.lattice)
        assert found.crystal.formula == end.formula


def test_where_one_is_lost_all_are_tried_on_other_origins(mp, monkeypatch):
    seen = []

    correct, corrected = mp.closest, []

    def closest(crystals, grids):
        assert [*grids] == [(2, 2, 3)] * 2
        corrected.append(correct(crystals, grids))
        return corrected[-1]

    def descend(crystals, _patches, z):
        assert torch.equal(z, torch.stack(corrected[-1][0]))
        seen.append(crystals[0].frac_coords[0])
        return z, [Misfit(0.0, 0.0), Misfit(1.0, np.inf) if len(seen) < 3 else Misfit(0.0, 0.01)]

    monkeypatch.setattr(mp, "closest", closest)
    monkeypatch.setattr(mp, "descend", descend)
    latents = encode_together(mp, ENDS, (2, 2, 3))
    assert len(seen) == 3
    for code in latents:
        assert np.allclose(ENDS[0].frac_coords[0] + code.origin, seen[2])
    assert len(seen) == 3 == len(np.unique(np.round(seen, 6), axis=0))


def test_atoms_are_read_as_the_elements_that_are_allowed(mp):
    latents = mp.encode(ENDS, refine=False)
    for check in (True, False):
        every = mp.decode_crystals(latents, elements=mp.config.elements, check=check)
        for one, free in zip(every, mp.decode_crystals(latents, check=check), strict=True):
            assert np.array_equal(one.crystal.numbers, free.crystal.numbers)
            assert one.confidence == free.confidence
    for found, one in zip(mp.decode_crystals(latents, elements=[40, 22, 8], check=False), every, strict=True):
        assert {*found.crystal.elements} <= {40, 22, 8}
        assert np.array_equal(found.crystal.frac_coords, one.crystal.frac_coords)
    for found in mp.decode_crystals(latents, elements=[20, 40, 16]):
        assert {*found.crystal.elements} <= {20, 40, 16}
        assert found.confidence < 0.1  # it does not encode to the latent
    assert mp.decode_crystals(latents)[0].crystal.formula == "SrTiO3"  # nothing stays forbidden


def test_atoms_that_are_known_are_looked_for_and_no_other(mp):
    latents = mp.encode(ENDS[:1], refine=False)
    (free,), (known,) = mp.decode_crystals(latents), mp.decode_crystals(latents, holding=[{8: 3, 22: 1, 38: 1}])
    assert np.array_equal(known.crystal.numbers, free.crystal.numbers)
    assert np.array_equal(known.crystal.frac_coords, free.crystal.frac_coords)
    (other,) = mp.decode_crystals(latents, holding=[{8: 1, 16: 2, 38: 1, 40: 1}])
    assert other.crystal.holding == {8: 1, 16: 2, 38: 1, 40: 1}
    assert other.confidence < known.confidence  # nothing there looks like sulphur
    (fewer,) = mp.decode_crystals(latents, holding=[{8: 2, 22: 1, 38: 1}])
    assert fewer.crystal.holding == {8: 2, 22: 1, 38: 1}
    (more,) = mp.decode_crystals(latents, holding=[{8: 9, 22: 1, 38: 1}])
    assert 5 <= len(more.crystal) < 11  # there are no places for so many


def test_elements_that_make_no_sense_are_told(mp):
    latents = mp.encode(ENDS[:1], refine=False)
    with pytest.raises(ValueError, match=r"'mp' does not know the atomic numbers \[101\]"):
        mp.decode_crystals(latents, elements=[8, 101])
    with pytest.raises(ValueError, match="at least one element"):
        mp.decode_crystals(latents, elements=[])
    with pytest.raises(ValueError, match=r"does not know the atomic numbers \[101\]"):
        mp.decode_crystals(latents, holding=[{101: 1}])
    for both in ({"holding": [{8: 0}]}, {"holding": [{8: 1}], "elements": [8]}):
        with pytest.raises(ValueError, match="counts of 1 and more, and without `elements`"):
            mp.decode_crystals(latents, **both)


def test_a_codec_that_cannot_forbid_says_so():
    codec = open_codec(CodecConfig("paper", UnitCellConfig(patches=1), HoffmannConfig(scale=1 / 16, latent=8)))
    assert not codec.can_restrict
    latents = codec.encode(ENDS[:1], refine=False)
    with pytest.raises(TypeError, match="'paper' reads whatever elements it finds"):
        codec.decode_crystals(latents, elements=[8])
