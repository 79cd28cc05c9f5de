"""What is taken out of a crystal."""

import numpy as np
import pytest

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.latent_space.holes import around, in_region, of_species

CELL = 3.905 * np.eye(3)
SITES = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
TITANATE = Crystal(CELL, SITES, np.array([38, 22, 8, 8, 8]), "SrTiO3")


def test_an_element_is_taken_out():
    assert of_species(TITANATE, "O").tolist() == [False, False, True, True, True]
    with pytest.raises(CrystalError, match="SrTiO3 has no Li to take out; it has O, Ti, Sr"):
        of_species(TITANATE, "Li")
    with pytest.raises(CrystalError, match="SrTiO3 has no Li to look around; it has O, Ti, Sr"):
        around(TITANATE, "Li:2.5")
    with pytest.raises(ValueError, match="there is no element 'Xx'"):
        of_species(TITANATE, "Xx")


@pytest.mark.parametrize(
    ("region", "sites"),
    [
        ("0.2<z<0.6", [1, 3, 4]),
        ("z<0.2", [0, 2]),
        ("z>=0.5", [1, 3, 4]),
        ("0.2 < x, y > 0.2", [1, 2]),
        ("0<c<=0.5", [1, 3, 4]),
        ("0.9<z<1.1", [0, 2]),
        ("0.5<z<=1", [0, 2]),
        ("0<z<=1", [0, 1, 2, 3, 4]),
        ("0.5<=z<1.5", [0, 1, 2, 3, 4]),
        ("-0.6<=z<0", [1, 3, 4]),
        ("2.2<x<2.6, 0.4<y<1.2", [1, 2, 3]),
    ],
)
def test_regions(region, sites):
    assert np.flatnonzero(in_region(TITANATE, region)).tolist() == sites


@pytest.mark.parametrize("region", ["z", "0.2<w<0.5", "somewhere", "1..2<z"])
def test_what_is_no_region_is_told(region):
    with pytest.raises(CrystalError, match="is no region"):
        in_region(TITANATE, region)


def test_an_empty_region_is_told():
    with pytest.raises(CrystalError, match=r"SrTiO3 has no site in z>0\.9"):
        in_region(TITANATE, "z>0.9")


def test_neighbours_are_found_across_the_border():
    """Ti–O is a/2 = 1.95 Å, Sr–O a/√2 = 2.76 Å."""
    assert around(TITANATE, "Ti:2.0").tolist() == [False, False, True, True, True]
    assert around(TITANATE, "Sr:2.8").tolist() == [False, False, True, True, True]
    with pytest.raises(CrystalError, match=r"nothing up to 2\.7 Å from its Sr"):
        around(TITANATE, "Sr:2.7")
    for text in ("Ti", "Ti:", "Ti:-1", "Ti:near"):
        with pytest.raises(CrystalError, match="is no neighbourhood"):
            around(TITANATE, text)


def test_a_hair_below_nought_is_nought():
    one = Crystal(4 * np.eye(3), np.array([[0, 0, -1e-20], [0.5, 0.5, 0.5]]), np.array([11, 17]))
    assert in_region(one, "z<0.3").tolist() == [True, False]


@pytest.mark.parametrize("skew", [0, 1, 4])
def test_neighbours_are_the_same_in_a_skewed_cell(skew):
    rng = np.random.default_rng(0)
    plain = Crystal(4 * np.eye(3), rng.random((12, 3)), np.array([22] + [8] * 11))
    skewed = plain.in_basis(np.array([[1, 0, 0], [skew, 1, 0], [0, 0, 1]]))
    assert around(skewed, "Ti:2.1").tolist() == around(plain, "Ti:2.1").tolist()
    assert 1 < around(plain, "Ti:2.1").sum() < 11
