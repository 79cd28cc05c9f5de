"""Strained cells, against lengths, volumes and angles by hand."""

import numpy as np
import pytest

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.latent_space.strain import strain_of, strained

CUBE = Crystal(4.0 * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([55, 17]), "CsCl")


def test_one_number_is_the_same_along_every_axis():
    found = strained(CUBE, strain_of("0.02"))
    assert found.volume == pytest.approx(CUBE.volume * 1.02**3)
    np.testing.assert_array_equal(found.frac_coords, CUBE.frac_coords)
    assert found.name == "CsCl-strained"


def test_six_numbers_are_in_voigts_order():
    lattice = strained(CUBE, strain_of("0.01, -0.02, 0.03, 0, 0, 0")).lattice
    np.testing.assert_allclose(lattice, np.diag([4.04, 3.92, 4.12]))
    for k, (i, j) in enumerate([(1, 2), (0, 2), (0, 1)], start=3):
        lattice = strained(CUBE, strain_of(",".join("0.1" if m == k else "0" for m in range(6)))).lattice
        a, b = lattice[i], lattice[j]
        cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        assert np.degrees(np.arccos(cosine)) == pytest.approx(90 - np.degrees(0.1), abs=0.05), "γ closes the angle"


def test_a_random_strain_follows_from_its_seed_and_has_its_size():
    np.testing.assert_array_equal(strain_of("random:0.02", 3), strain_of("random:0.02", 3))
    assert not np.array_equal(strain_of("random:0.02", 3), strain_of("random:0.02", 4))
    every = np.stack([strain_of("random:0.02", seed) for seed in range(400)])
    np.testing.assert_array_equal(every, every.transpose(0, 2, 1))
    assert every[:, range(3), range(3)].std() == pytest.approx(0.02, rel=0.1)
    assert every[:, 0, 1].std() == pytest.approx(0.01, rel=0.15)


@pytest.mark.parametrize("text", ["", "2 %", "1,2", "nan", "random", "random:x", "0,0,0,0,0,inf", "0,0,0,0,0,0,0"])
def test_what_is_no_strain_is_told(text):
    with pytest.raises(ValueError, match="is no strain: write one number"):
        strain_of(text)


@pytest.mark.parametrize(("text", "percent"), [("-1", 100), ("0,0,0,0,0,2", 100), ("2", 200), ("0,0.51,0,0,0,0", 51)])
def test_no_crystal_is_strained_by_more_than_half(text, percent):
    with pytest.raises(CrystalError, match=rf"is one of {percent} %, more than 50 %; 0\.02 is 2 %"):
        strained(CUBE, strain_of(text))
