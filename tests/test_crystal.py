import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from pymatgen.core import Lattice, Structure

from xtalcodec.crystal import VACANCY, Crystal, CrystalError
from xtalcodec.testing import crystals, shifts


def distances(crystal: Crystal) -> np.ndarray:
    """Shortest distances between all sites in Å, by ASE."""
    return crystal.to_ase().get_all_distances(mic=True)


@settings(deadline=None, max_examples=50)
@given(crystals(left_handed=True))
def test_pymatgen_and_ase_give_the_crystal_back(crystal):
    for back in (Crystal.from_pymatgen(crystal.to_pymatgen()), Crystal.from_ase(crystal.to_ase())):
        np.testing.assert_allclose(back.lattice, crystal.lattice, atol=1e-10)
        np.testing.assert_allclose(back.frac_coords, crystal.frac_coords, atol=1e-10)
        np.testing.assert_array_equal(back.numbers, crystal.numbers)


@settings(deadline=None, max_examples=50)
@given(crystals())
def test_volume_and_formula_are_pymatgens(crystal):
    structure = crystal.to_pymatgen()
    assert crystal.volume == pytest.approx(structure.volume)
    formula = crystal.formula  # in silence, noble gases included
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert formula == structure.composition.reduced_formula


@settings(deadline=None, max_examples=50)
@given(crystals(left_handed=True), shifts())
def test_translation_keeps_distances(crystal, shift):
    np.testing.assert_allclose(distances(crystal.translated(shift)), distances(crystal), atol=1e-8)


@settings(deadline=None, max_examples=50)
@given(crystals(left_handed=True))
def test_another_basis_keeps_every_site_in_place(crystal):
    for basis in (-np.eye(3, dtype=int), np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]]), np.eye(3, dtype=int)[[1, 0, 2]]):
        other = crystal.in_basis(basis)
        np.testing.assert_allclose(other.frac_coords @ other.lattice, crystal.frac_coords @ crystal.lattice, atol=1e-9)
        assert other.volume == pytest.approx(crystal.volume)


@settings(deadline=None, max_examples=50)
@given(crystals(max_sites=12))
def test_drawn_sites_keep_their_distance(crystal):
    apart = distances(crystal)[np.triu_indices(len(crystal), 1)]
    assert not len(apart) or apart.min() > 0.9 - 1e-9
    assert crystal.volume > 0.25 * np.linalg.norm(crystal.lattice, axis=1).prod()


def test_a_crystal_cannot_be_written_into():
    crystal = Crystal(np.eye(3) * 4, np.zeros((1, 3)), np.array([14]))
    with pytest.raises(ValueError, match="read-only"):
        crystal.frac_coords[0, 0] = 0.5


@pytest.mark.parametrize(
    ("lattice", "frac_coords", "numbers", "reason"),
    [
        (np.eye(3) * 4, np.zeros((0, 3)), np.zeros(0, int), "no sites"),
        (np.eye(3) * np.nan, np.zeros((1, 3)), np.array([1]), "lattice holds a number that is not finite"),
        (np.eye(3) * 4, np.full((1, 3), np.inf), np.array([1]), "coordinate is not a finite number"),
        (np.diag([4.0, 4, 0]), np.zeros((1, 3)), np.array([1]), "cell is impossible"),
        (np.eye(3) * 4, np.zeros((1, 3)), np.array([0]), "atomic numbers run from 1 to 118"),
        (np.eye(3) * 4, np.zeros((1, 3)), np.array([119]), "atomic numbers run from 1 to 118"),
        (np.eye(3) * 4, np.full((1, 3), 1e7), np.array([1]), "beyond a million cells"),
    ],
)
def test_what_is_no_crystal_is_refused(lattice, frac_coords, numbers, reason):
    with pytest.raises(CrystalError, match=reason):
        Crystal(lattice, frac_coords, numbers)


def solid_solution() -> Structure:
    """A salt with a shared anion site and vacancies among the cations."""
    sites = [{"Na": 0.9}, {"Cl": 0.5, "Br": 0.3, "I": 0.2}]
    return Structure(Lattice.cubic(4), sites, [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.mark.parametrize("way", ["pymatgen", "ase"])
def test_a_disordered_crystal_goes_to_other_libraries_and_back(way):
    crystal = Crystal.from_pymatgen(solid_solution())
    assert not crystal.is_ordered
    assert crystal.numbers.tolist() == [11, 17]
    assert crystal.sites_shares() == [[(11, 0.9)], [(17, 0.5), (35, 0.3), (53, 0.2)]]
    assert crystal.occupancies[0, VACANCY] == pytest.approx(0.1)
    assert crystal.label(1) == "Cl0.5Br0.3I0.2"
    equal = Crystal.of_shares(np.eye(3) * 4, np.zeros((1, 3)), [[(12, 0.4999), (29, 0.5001)]], "equal")
    assert equal.label(0) == "Mg0.5Cu0.5"  # what decoding errs by turns no two elements round
    back = Crystal.from_pymatgen(crystal.to_pymatgen()) if way == "pymatgen" else Crystal.from_ase(crystal.to_ase())
    np.testing.assert_allclose(back.occupancies, crystal.occupancies)
    assert crystal.to_pymatgen().composition.almost_equals(solid_solution().composition)
    assert crystal.formula == solid_solution().composition.reduced_formula


def test_a_crystal_without_a_name_is_called_by_its_formula():
    salt = Crystal(4 * np.eye(3), np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]), np.array([55, 17]))
    assert (salt.called, replace(salt, name="a").called) == ("CsCl", "a")


def test_the_formula_of_a_disordered_crystal_is_of_one_unit_whatever_the_cell():
    structure = Structure(Lattice.cubic(4), [{"Fe": 0.94}, {"O": 1}], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert Crystal.from_pymatgen(structure).formula == "Fe0.94O"
    assert Crystal.from_pymatgen(structure * (2, 1, 3)).formula == "Fe0.94O"
    mixed = Structure(Lattice.cubic(4), [{"Na": 0.5, "K": 0.5}, {"Cl": 1}], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert Crystal.from_pymatgen(mixed).formula == "K0.5Na0.5Cl"


def test_ions_of_one_element_on_a_site_are_the_element():
    mixed = Structure(Lattice.cubic(4), [{"Fe2+": 0.5, "Fe3+": 0.5}], [[0, 0, 0]])
    assert Crystal.from_pymatgen(mixed).is_ordered


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ([[(11, 0.7), (19, 0.4)]], "occupancies of site 0 sum to 1.1"),
        ([[(11, 0.0)]], "site 0 has an occupancy of 0"),
        ([[(11, float("nan"))]], "site 0 has an occupancy of nan"),
        ([[]], "occupancies of site 0 sum to 0"),
        ([[(119, 1.0)]], "atomic numbers run from 1 to 118, not 119"),
    ],
)
def test_occupancies_that_are_none_are_refused(shares, message):
    with pytest.raises(CrystalError, match=message):
        Crystal.of_shares(np.eye(3) * 4, np.zeros((1, 3)), shares)


def test_occupancies_and_species_agree():
    table = np.zeros((1, 119))
    table[0, [11, 19]] = 0.3, 0.7
    with pytest.raises(CrystalError, match="not the element with the largest share"):
        Crystal(np.eye(3) * 4, np.zeros((1, 3)), np.array([11]), occupancies=table)
    with pytest.raises(CrystalError, match="no shares"):
        Crystal(np.eye(3) * 4, np.zeros((1, 3)), np.array([19]), occupancies=table * 0.9)


def test_deuterium_is_hydrogen():
    assert Crystal.from_pymatgen(Structure(Lattice.cubic(3), ["D"], [[0, 0, 0]])).numbers.tolist() == [1]


def test_a_molecule_and_a_slab_are_refused():
    from ase import Atoms
    from ase.build import fcc111, molecule

    for atoms in (molecule("H2O"), fcc111("Al", (1, 1, 2), vacuum=5), Atoms("H", pbc=True)):
        with pytest.raises(CrystalError, match="not periodic in three directions"):
            Crystal.from_ase(atoms)


def test_a_dummy_species_is_refused():
    structure = Structure(Lattice.cubic(3), ["X"], [[0, 0, 0]])
    with pytest.raises(CrystalError, match=r"site 0 holds X.*, which is no element"):
        Crystal.from_pymatgen(structure)


@pytest.mark.parametrize("key", [int, str])
def test_occupancies_of_ase_are_those_of_the_kinds_of_sites(key):
    from ase import Atoms

    atoms = Atoms("NaClNa", cell=[4, 4, 4], scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0]], pbc=True)
    atoms.info["occupancy"] = {key(7): {"Na": 0.75, "K": 0.25}, key(3): {"Cl": 1.0}}
    atoms.set_array("spacegroup_kinds", np.array([7, 3, 7]))
    assert Crystal.from_ase(atoms).sites_shares() == [shared := [(11, 0.75), (19, 0.25)], [(17, 1.0)], shared]
    atoms.set_array("spacegroup_kinds", np.array([3, 7, 3]))
    with pytest.raises(CrystalError, match="other elements than it has"):
        Crystal.from_ase(atoms)
    for no_mapping in (0.5, {"7": 1.0}, {7: {"Na": 1.0}}, {3: {"Xx": 1.0}, 7: {}}):
        atoms.info["occupancy"] = no_mapping
        with pytest.raises(CrystalError, match="does not map every kind"):
            Crystal.from_ase(atoms)


def test_a_slab_of_pymatgen_is_refused():
    structure = Structure(Lattice(4 * np.eye(3), pbc=(True, True, False)), ["Al"], [[0, 0, 0]])
    with pytest.raises(CrystalError, match="not periodic in three directions"):
        Crystal.from_pymatgen(structure)


def test_sites_hold_the_same_within_a_share_wherever_that_is_rounded():
    shares = [[(11, x), (19, 1 - x)] for x in (0.334, 0.336, 0.339, 0.35, 0.345)]
    crystal = Crystal.of_shares(4 * np.eye(3), np.arange(15).reshape(5, 3) / 20, shares)
    assert crystal.site_kinds().tolist() == [0, 0, 0, 1, 1]
