"""Pictures of codes: density and atoms against sums over the crystal's atoms."""

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
