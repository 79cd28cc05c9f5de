"""Correction, on coders whose errors are written down."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs.correct import LEAST_AIM, aimed, correct
from xtalcodec.codecs.misfit import misfit
from xtalcodec.codecs.refine import RefineConfig
from xtalcodec.crystal import Crystal

SALT = Crystal(4.2 * np.eye(3), np.array([[0.02, 0.1, 0.3], [0.5, 0.61, 0.97]]), np.array([11, 17]), "salt")
MIXED = Crystal.of_shares(SALT.lattice, SALT.frac_coords, [[(11, 0.7), (19, 0.3)], [(17, 1.0)]], "mixed")
CONFIG = RefineConfig()


class Coder:
    """Latents are coordinates and shares as they are; what is read is `errs` of them, in another order."""

    def __init__(self, errs, count=None):
        self.errs, self.count, self.encoded = errs, count, []

    def encode(self, crystals, _rows=()):
        self.encoded += [c.name for c in crystals]
        return [torch.from_numpy(np.concatenate([c.frac_coords, c.shares()], 1)) for c in crystals]

    def read(self, z, _rows):
        return [self.sites(row.numpy()) for row in z]

    def sites(self, row):
        frac, shares = self.errs(row[:, :3], row[:, 3:])
        order = np.arange(len(row))[::-1][: self.count]
        numbers = shares[order, 1:].argmax(1) + 1
        return FoundAtoms(frac[order] % 1, numbers, np.ones(len(order)), 1.0, occupancies=shares[order])

    def corrected(self, *crystals, config=CONFIG):
        z, misfits, seen = correct(self.encode, self.read, crystals, config)
        for crystal, row, found, sites in zip(crystals, z, misfits, seen, strict=True):
            assert misfit(crystal, self.sites(row.numpy())) == misfit(crystal, sites) == found
        return z, misfits


@given(st.floats(0, 1), st.floats(0.001, 0.02), st.integers(1, 2))
def test_errors_that_are_smooth_go(phase, size, waves):
    coder = Coder(lambda x, s: (x + size * np.sin(2 * np.pi * (waves * x + phase)), s))
    _, (found,) = coder.corrected(SALT)
    assert found.within(CONFIG.tolerance)
    assert len(coder.encoded) <= 1 + CONFIG.corrections


def test_what_answers_too_strongly_is_aimed_at_with_smaller_steps():
    centre = SALT.frac_coords
    coder = Coder(lambda x, s: (centre + 2.6 * (x - centre) + 0.02, s))
    _, (first,) = coder.corrected(SALT, config=replace(CONFIG, corrections=0))
    assert first.displacement == pytest.approx(0.02 * 4.2 * np.sqrt(3))
    _, (found,) = coder.corrected(SALT)
    assert found.within(CONFIG.tolerance)


def test_what_is_right_is_encoded_once_and_the_others_until_they_are():
    coder = Coder(lambda x, s: (x + 0.01 * np.sin(2 * np.pi * x), s))
    still = replace(SALT, frac_coords=np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]), name="still")  # no error there
    coder.corrected(SALT, still)
    assert coder.encoded.count("still") == 1
    assert 1 < coder.encoded.count("salt") <= 3


def test_sites_that_are_missing_cannot_be_aimed_at():
    coder = Coder(lambda x, s: (x, s), count=1)
    (z,), (found,) = coder.corrected(SALT)
    assert found.wrong == 2
    assert coder.encoded == ["salt"]
    assert torch.equal(z, coder.encode([SALT])[0])


def test_the_best_is_kept_where_nothing_helps_and_that_is_found_out_soon():
    coder = Coder(lambda x, s: (SALT.frac_coords + 0.01 + 5 * (x - SALT.frac_coords) ** 2, s))
    (z,), (found,) = coder.corrected(SALT)
    assert coder.encoded == 3 * ["salt"]
    assert found.displacement == pytest.approx(0.01 * 4.2 * np.sqrt(3))
    assert torch.equal(z, coder.encode([SALT])[0])


def test_occupancies_are_aimed_at_too():
    def errs(x, shares):
        bent = shares**1.5  # the minority fades
        return x, bent / bent.sum(1, keepdims=True)

    coder = Coder(errs)
    (before,) = coder.corrected(MIXED, config=replace(CONFIG, corrections=0))[1]
    assert before.wrong == pytest.approx(0.7**1.5 / (0.7**1.5 + 0.3**1.5) - 0.7)
    (after,) = coder.corrected(MIXED)[1]
    assert after.wrong == 0


@given(st.floats(0, 1), st.floats(0.1, 1))
def test_an_aim_is_a_crystal(share, gain):
    """However wrong the occupancies were, and however often."""
    shares = np.zeros((2, 119))
    shares[0, [0, 11, 19]], shares[1, 8] = (0.0, share, 1 - share), 1.0
    sites = FoundAtoms(MIXED.frac_coords, np.array([11, 8]), np.ones(2), 1.0, occupancies=shares)
    aim = MIXED
    for _ in range(6):
        aim = aimed(MIXED, aim, sites, gain)
    true = MIXED.shares()
    assert (aim.shares()[true > 0] >= LEAST_AIM * true[true > 0] / 3).all()
    assert aim.shares()[1, 17] == 1  # the largest there is
    assert np.allclose(aim.frac_coords, MIXED.frac_coords)
