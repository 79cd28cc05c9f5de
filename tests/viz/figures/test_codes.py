"""Pictures of codes: density and atoms against sums over the crystal's atoms."""

from dataclasses import replace

import numpy as np
import pytest

from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.codecs.windows import decode_windows
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.window_lattice.folding import window_of
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.representations.unit_cell import UnitCellConfig
from xtalcodec.viz.figures.codes import frames

CSCL = Crystal(3.4 * np.eye(3), np.array([[0.1, 0.2, 0.3], [0.6, 0.7, 0.8]]), np.array([55, 17]), "CsCl")


def density(point, positions, numbers) -> float:
    square = ((positions - point) ** 2).sum(1)
    return float((numbers * np.exp(-square / 2)).sum() * (2 * np.pi) ** -1.5)


def test_a_periodic_codec_shows_a_window_on_the_decoded_crystal(mp):
    codes = mp.encode([CSCL], refine=False)
    found = mp.decode_crystals(codes)
    shown, empty = frames(mp, codes, [found[0], None], ["CsCl", "nothing"])
    crystal = found[0].crystal
    _, numbers = window_of(crystal.lattice, crystal.frac_coords, crystal.numbers)
    assert len(shown.numbers) == len(numbers) == 54
    assert shown.title == "CsCl"
    around, z = window_of(crystal.lattice, crystal.frac_coords, crystal.numbers, 22.0, origin=np.full(3, -6.0))
    for i, j, k in ((0, 0, 0), (29, 3, 14), (15, 15, 15)):
        expected = density(np.array([i, j, k]) * 10 / 29, around - 6, z)
        assert shown.density[i, j, k] == pytest.approx(expected, rel=1e-4)
    assert not len(empty.numbers)
    assert not empty.density.any()


def test_a_shared_site_weighs_what_is_on_it_and_is_shown_as_shared(mp):
    mixed = Crystal.of_shares(CSCL.lattice, CSCL.frac_coords, [[(55, 0.6), (37, 0.3)], [(17, 1.0)]], "mixed")
    codes = mp.encode([CSCL], refine=False)
    (found,) = mp.decode_crystals(codes)
    (shown,) = frames(mp, codes, [replace(found, crystal=mixed)], ["mixed"])
    around, site = window_of(mixed.lattice, mixed.frac_coords, np.array([1, 2]), 22.0, origin=np.full(3, -6.0))
    weights = np.where(site == 1, 0.6 * 55 + 0.3 * 37, 17)
    for i, j, k in ((0, 0, 0), (15, 15, 15)):
        expected = density(np.array([i, j, k]) * 10 / 29, around - 6, weights)
        assert shown.density[i, j, k] == pytest.approx(expected, rel=1e-4)
    assert shown.elements.tolist() == [17, 37, 55]
    np.testing.assert_allclose(shown.occupancies[shown.numbers == 55][:, [0, 37, 55]], [[0.1, 0.3, 0.6]] * 27)


def test_a_codec_of_windows_shows_the_atoms_as_read():
    network = PatchConfig(channels=2, width=16, heads=2, encoder_layers=1, decoder_layers=1, latent=2, features=2)
    codec = open_codec(CodecConfig("windows", UnitCellConfig(patches=3), network))
    codes = codec.encode([CSCL], refine=False)
    (shown,) = frames(codec, codes, codec.decode_crystals(codes), ["noise"])
    (atoms,) = decode_windows(codec, codes)
    assert np.array_equal(shown.positions, atoms.positions)
    assert shown.edge == 10
    expected = density(np.full(3, 15 * 10 / 29), atoms.positions, atoms.numbers)
    assert shown.density[15, 15, 15] == pytest.approx(expected, rel=1e-3, abs=1e-6)
