"""The disordered examples against what is known of them besides their tables."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from xtalcodec.datasets import load
from xtalcodec.datasets.source import SourceError
from xtalcodec.datasets.sources.disordered_examples import EXAMPLES
from xtalcodec.geometry.neighbours import shortest
from xtalcodec.geometry.symmetry import space_group
from xtalcodec.io.read import read

DALTON = 1.66053907
"""g/cm³ for a dalton per Å³."""


@pytest.fixture(scope="module")
def examples():
    crystals, unusable = load("disordered-examples")
    assert not unusable
    return {crystal.name: crystal for crystal in crystals}


def amounts(formula):
    from pymatgen.core import Composition

    return {element.Z: amount for element, amount in Composition(formula).items()}


def density(crystal):
    from ase.data import atomic_masses

    return float(crystal.content[1:] @ atomic_masses[1:119]) * DALTON / crystal.volume


def test_there_are_eleven_and_each_is_disordered_and_says_whence_it_comes(examples):
    assert len(examples) == 11
    assert not any(crystal.is_ordered for crystal in examples.values())
    for crystal in examples.values():
        assert crystal.properties["reference"].rstrip(")")[-4:].isdigit(), "a year"


def test_each_holds_what_its_name_says(examples):
    for name, crystal in examples.items():
        given = amounts(name)
        cells = sum(crystal.content[1:]) / sum(given.values())
        found = {int(z) + 1: crystal.content[z + 1] / cells for z in np.flatnonzero(crystal.content[1:])}
        assert found == pytest.approx(given, abs=1e-9), name


@pytest.mark.parametrize(
    ("name", "group", "sites"),
    [
        ("La1.85Sr0.15CuO4", "I4/mmm", 14),
        ("YBa2Cu3O6.9", "Pmmm", 13),
        ("Si0.7Ge0.3", "Fd-3m", 8),
        ("CuAu", "Fm-3m", 4),
        ("KCl0.5Br0.5", "Fm-3m", 8),
        ("FeAl2O4", "Fd-3m", 56),
        ("Na0.74CoO2", "P6_3/mmc", 10),
        ("MgCoNiCuZnO5", "Fm-3m", 8),
        ("Fe0.94O", "Fm-3m", 8),
        ("Co2FeAl0.5Si0.5", "Fm-3m", 16),
        ("Zr0.82Y0.18O1.91", "Fm-3m", 12),
    ],
)
def test_the_average_structure_has_the_published_symmetry(examples, name, group, sites):
    assert space_group(examples[name]) == group
    assert len(examples[name]) == sites


@pytest.mark.parametrize("one", EXAMPLES, ids=lambda one: one.name)
def test_sites_are_those_of_pymatgens_tables(examples, one):
    species, places = zip(*one.sites, strict=True)
    cell = Lattice.from_parameters(*one.cell)
    truth = Structure.from_spacegroup(one.group, cell, species, places)
    found = examples[one.name].to_pymatgen()
    assert len(found) == len(truth)
    away = cell.get_all_distances(truth.frac_coords, found.frac_coords)
    assert away.min(1).max() < 1e-6
    assert [found[k].species for k in away.argmin(1)] == [site.species for site in truth]


@pytest.mark.parametrize(
    ("name", "published", "tolerance"),
    [
        ("Si0.7Ge0.3", 2.329 + 3.493 * 0.3 - 0.499 * 0.3**2, 0.003),  # measured over all compositions: Dismukes 1964
        ("FeAl2O4", 4.256, 0.001),  # AMCSD 0000958
        ("YBa2Cu3O6.9", 6.36, 0.01),
        ("La1.85Sr0.15CuO4", 6.99, 0.01),
        ("Zr0.82Y0.18O1.91", 5.92, 0.02),
    ],
)
def test_density_is_the_published_one(examples, name, published, tolerance):
    assert density(examples[name]) == pytest.approx(published, rel=tolerance)


@pytest.mark.parametrize(
    ("name", "volume", "atoms"),
    [  # mean volume of the ends of the series, Å³ for so many atoms of the formula (Zen's law)
        ("CuAu", (3.615**3 / 4 + 4.079**3 / 4), 2),
        ("KCl0.5Br0.5", (6.293**3 + 6.600**3) / 8, 2),
        ("Co2FeAl0.5Si0.5", (5.730**3 + 5.640**3) / 8, 4),
        ("Si0.7Ge0.3", (0.7 * 5.431**3 + 0.3 * 5.658**3) / 8, 1),
        ("Fe0.94O", 4.326**3 / 4, 2),
        ("MgCoNiCuZnO5", (4.212**3 + 4.260**3 + 4.177**3) / 12, 2),  # of the three oxides that are rock salt
    ],
)
def test_volume_lies_between_those_of_the_pure_crystals(examples, name, volume, atoms):
    crystal = examples[name]
    assert crystal.volume / len(crystal) * atoms == pytest.approx(volume, rel=0.02)


def test_bonds_are_those_of_the_structures(examples):
    """Cu–O in the plane and to the apex, Co–O, and the sodium sites of which never both are full."""
    structure = examples["La1.85Sr0.15CuO4"].to_pymatgen()
    copper = next(k for k, z in enumerate(examples["La1.85Sr0.15CuO4"].numbers) if z == 29)
    distances = sorted(site.nn_distance for site in structure.get_neighbors(structure[copper], 2.6))
    assert distances == pytest.approx([1.89] * 4 + [2.41] * 2, abs=0.01)
    assert shortest(examples["Na0.74CoO2"]) == pytest.approx(2.84 / 3**0.5, abs=1e-3)
    assert min(shortest(crystal) for crystal in examples.values()) > 1.6


def test_a_query_is_refused_and_large_cells_are_told():
    with pytest.raises(SourceError, match="takes no query, not 'CuAu'"):
        load("disordered-examples:CuAu")
    crystals, unusable = load("disordered-examples", max_sites=16)
    assert len(crystals) == 10
    assert ["FeAl2O4" in item.name for item in unusable] == [True]


def test_they_pass_through_a_cif(examples, tmp_path):
    from xtalcodec.io.write import write

    for name, crystal in examples.items():
        write(crystal, tmp_path / "crystal.cif", "cif")
        (back,) = read(tmp_path / "crystal.cif")
        np.testing.assert_allclose(back.content, crystal.content, atol=1e-4, err_msg=name)
