"""What makes a sample a crystal, against double loops and crystals that are known."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs.decoding import DecodedCrystal
from xtalcodec.codecs.latents import CrystalCode, LatentSet
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation import assess, explained, generation_summary
from xtalcodec.evaluation.generation import decoded as decoded_samples
from xtalcodec.geometry.window_lattice.folding import window_of
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.representations.repeating import RepeatingConfig

ROCK_SALT = Crystal.from_pymatgen(
    Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
)


def decoded(crystal: Crystal | None) -> DecodedCrystal | None:
    return None if crystal is None else DecodedCrystal(crystal, np.ones(len(crystal)), 0.5)


def latents(found, origin=(0, 0, 0)) -> LatentSet:
    basis = np.eye(3, dtype=np.int64)
    z = np.zeros((1, 2), dtype=np.float32)
    rows = [CrystalCode(f"s{k}", z, (1, 1, 1), c.lattice, basis, np.array(origin, float)) for k, c in enumerate(found)]
    return LatentSet(tuple(rows), "x")


def test_samples_are_judged_and_none_is_left_out(mp):
    tight = Crystal(4 * np.eye(3), np.array([[0, 0, 0], [0.1, 0, 0]]), np.array([22, 8]))
    roomy = Crystal(9 * np.eye(3), np.zeros((1, 3)), np.array([3]))
    moved = ROCK_SALT.translated(np.array([0.1, 0.2, 0.3]))
    tiny = Crystal(0.3 * ROCK_SALT.lattice, ROCK_SALT.frac_coords, ROCK_SALT.numbers)
    found = [ROCK_SALT, None, tight, roomy, moved]
    rows = assess(mp, latents([c or ROCK_SALT for c in found]), [decoded(c) for c in found])
    assert [row.valid for row in rows] == [True, False, False, False, True]
    assert rows[1].reason == "no atom found in the decoded field"
    assert "O–Ti 0.40 Å apart" in rows[2].reason
    assert rows[3].reason == "729 Å³ per atom"
    assert rows[4].same_as == "s0"
    assert rows[0].space_group == "Fm-3m"
    (scaled, first) = assess(mp, latents([tiny, ROCK_SALT]), [decoded(tiny), decoded(ROCK_SALT)])
    assert not scaled.valid
    assert first.same_as == ""
    told = generation_summary(rows)
    expected = {"n": 5, "decoded": 4, "valid": 2, "unique": 1, "too_close": 1, "valid_rate": 0.4, "unique_rate": 0.2}
    assert expected.items() <= told.items()
    assert told["formulas"] == {"NaCl": 2}


def test_a_crystal_accounts_for_the_atoms_of_its_window_that_are_its_own(monkeypatch):
    network = PatchConfig(channels=1, width=8, heads=1, encoder_layers=1, decoder_layers=1, latent=2, features=2)
    codec = open_codec(CodecConfig("windows", RepeatingConfig(patches=3), network))
    origin = np.array([0.13, 0.27, 0.41])
    placed = ROCK_SALT.translated(origin)
    positions, numbers = window_of(placed.lattice, placed.frac_coords, placed.numbers)
    positions = positions - 0.1  # Å, along each axis: a decoder's error
    inner = np.flatnonzero(((positions > 0.2) & (positions < 9.8)).all(1))
    wrong = numbers.copy()
    wrong[inner[:2]] = 26
    windows = [
        FoundAtoms.known(positions, numbers),
        FoundAtoms.known(positions, wrong),
        FoundAtoms.known(positions, numbers),
    ]
    windows.append(FoundAtoms.known(np.zeros((0, 3)), np.zeros(0, dtype=np.int64)))
    monkeypatch.setattr(decoded_samples, "decode_windows", lambda *_: windows)
    found = [decoded(ROCK_SALT), decoded(ROCK_SALT), None, None]
    shares = explained(codec, latents([ROCK_SALT] * 4, origin), found)
    assert shares == [1.0, pytest.approx(1 - 2 / len(inner)), 0.0, None]
    rows = assess(codec, latents([ROCK_SALT] * 4, origin), found)
    assert rows[2].reason == "the atoms in its window do not repeat"
    assert rows[3].reason == "no atom found in the decoded field"
    wrong[inner[: len(inner) // 2]] = 26
    (row, *_) = assess(codec, latents([ROCK_SALT] * 4, origin), found)[1:]
    assert row.reason.endswith("% of the window's atoms are not the crystal's")
