"""Altered crystals: elements replaced, densities multiplied; what their codes are, and what they decode to."""

import numpy as np
import pytest
import torch
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.latent_space.alter import Replacement, replaced, with_density
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCellConfig

SITES = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
SRTIO3 = Crystal.from_pymatgen(
    Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.905), ["Sr", "Ti", "O"], SITES), "SrTiO3"
)


@pytest.fixture(scope="module", params=[UnitCellConfig, RepeatingConfig])
def windows(request):
    """A small codec of windows; what it encodes is exact, what it decodes is noise."""
    network = PatchConfig(channels=2, width=16, heads=2, encoder_layers=1, decoder_layers=1, latent=2, features=2)
    return open_codec(CodecConfig("windows", request.param(patches=3), network))


def test_elements_are_replaced_all_at_once():
    swapped = replaced(SRTIO3, [Replacement.parse("Sr=Ti"), Replacement.parse(" Ti = Sr ")])
    assert sorted(swapped.numbers) == sorted(SRTIO3.numbers)
    assert np.array_equal(swapped.numbers == 22, SRTIO3.numbers == 38)
    assert swapped.name == "SrTiO3-Sr=Ti-Ti=Sr"


def test_elements_are_replaced_in_some_sites_alone():
    oxygen = np.flatnonzero(SRTIO3.numbers == 8)
    sites = np.isin(np.arange(len(SRTIO3)), [oxygen[0], *np.flatnonzero(SRTIO3.numbers == 22)])
    changed = replaced(SRTIO3, [Replacement.parse("O=S")], sites)
    assert np.flatnonzero(changed.numbers != SRTIO3.numbers).tolist() == [oxygen[0]]
    assert changed.numbers[oxygen[0]] == 16
    with pytest.raises(CrystalError, match="the chosen part has no Sr to replace; it has O, Ti"):
        replaced(SRTIO3, [Replacement.parse("Sr=Ba")], sites)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Sr"], "is no replacement"),
        (["Sr=Xx"], "no element 'Xx'"),
        (["=Ba"], "no element ''"),
        (["X=Ba"], "no element 'X'"),
        (["Ca=Ba"], "SrTiO3 has no Ca to replace; it has O, Ti, Sr"),
        (["Sr=Ba", "Sr=Ca"], "Sr cannot be replaced by two"),
    ],
)
def test_replacements_that_cannot_be(words, message):
    with pytest.raises(ValueError, match=message):
        replaced(SRTIO3, [Replacement.parse(word) for word in words])


def test_a_density_times_one_is_the_crystals_own(mp, windows):
    for codec in (mp, windows):
        (code,) = codec.encode([SRTIO3], refine=False)
        (same,) = with_density(codec, SRTIO3, [1.0])
        assert np.array_equal(same.z, code.z)
        assert np.array_equal(same.origin, code.origin)


def test_a_density_times_two_is_that_of_every_atom_twice(windows):
    codes = with_density(windows, SRTIO3, [1.0, 2.0])
    placed = windows.place(SRTIO3)
    once = placed.crystal.translated(codes[1].origin)
    twice = Crystal(once.lattice, np.tile(once.frac_coords, (2, 1)), np.tile(once.numbers, 2))  # no codec takes it
    with torch.no_grad():
        expected = (
            windows.encode_batch(windows.representation.collate([twice]), placed.patches).mean[0].detach().numpy()
        )
    assert np.allclose(codes[1].z, expected, atol=1e-5 * abs(expected).max())
    assert not np.allclose(codes[0].z, expected, atol=1e-5 * abs(expected).max())


def test_a_slightly_denser_field_still_is_the_crystal(mp):
    for found in mp.decode_crystals(with_density(mp, SRTIO3, [0.95, 1.05])):
        assert StructureMatcher().fit(found.crystal.to_pymatgen(), SRTIO3.to_pymatgen())


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_scales_that_are_none(mp, scale):
    with pytest.raises(CrystalError, match="positive number"):
        with_density(mp, SRTIO3, [scale])


def test_an_element_never_seen_is_told_with_the_crystal(mp):
    with pytest.raises(CrystalError, match=r"SrTiO3-Sr=Md: .*never saw Md"):
        with_density(mp, replaced(SRTIO3, [Replacement.parse("Sr=Md")]), [1.0])


def test_shared_sites_are_replaced_by_their_shares():
    """Of Na0.6K0.4Cl potassium becomes rubidium, chlorine bromine, sodium potassium."""
    cell = 3 * (np.ones((3, 3)) - np.eye(3))
    salt = Crystal.of_shares(
        cell, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), [[(11, 0.6), (19, 0.4)], [(17, 1.0)]], "salt"
    )
    rubidium, bromide, sodium = (replaced(salt, [Replacement.parse(word)]) for word in ("K=Rb", "Cl=Br", "Na=K"))
    assert (rubidium.occupancies[0, [11, 19, 37]].tolist(), rubidium.numbers.tolist()) == ([0.6, 0.0, 0.4], [11, 17])
    assert (bromide.occupancies[:, [17, 35]].tolist(), bromide.numbers.tolist()) == ([[0, 0], [0, 1]], [11, 35])
    assert sodium.is_ordered
    assert sodium.numbers.tolist() == [19, 17]
    swapped = replaced(salt, [Replacement.parse("Na=K"), Replacement.parse("K=Na")])
    assert (swapped.occupancies[0, [11, 19]].tolist(), swapped.numbers.tolist()) == ([0.4, 0.6], [19, 17])


@pytest.mark.parametrize("shares", [(0.35, 0.3, 0.35), (0.3, 0.6, 0.1), (0.6, 0.3, 0.1)])
def test_a_site_whose_elements_all_become_one_is_ordered(shares):
    shared = Crystal.of_shares(4 * np.eye(3), np.zeros((1, 3)), [list(zip((38, 20, 56), shares, strict=True))])
    assert replaced(shared, [Replacement.parse("Ca=Sr"), Replacement.parse("Ba=Sr")]).is_ordered
