import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from scipy.spatial.transform import Rotation

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.displacement import rms_displacement
from xtalcodec.geometry.niggli import niggli
from xtalcodec.geometry.window_lattice.folding import window_of
from xtalcodec.geometry.window_lattice.search import (
    LatticeConfig,
    LatticeError,
    crystal_from_window,
    explain,
)
from xtalcodec.testing import crystals

few = settings(max_examples=15, deadline=None, derandomize=True)


def crystal(group, lattice, species, coords) -> Crystal:
    return Crystal.from_pymatgen(Structure.from_spacegroup(group, lattice, species, coords))


def rock_salt(chlorine="Cl", u=0.5) -> Crystal:
    return crystal("Fm-3m", Lattice.cubic(5.6), ["Na", chlorine], [[0, 0, 0], [u, u, u]])


def caesium_chloride(chlorine="Cl", body=0.5) -> Crystal:
    return Crystal.from_pymatgen(Structure(Lattice.cubic(4.1), ["Cs", chlorine], [[0, 0, 0], [body, body, body]]))


def perovskite() -> Crystal:
    return crystal("Pm-3m", Lattice.cubic(3.905), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]])


def rutile() -> Crystal:
    return crystal("P4_2/mnm", Lattice.tetragonal(4.59, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]])


def diamond() -> Crystal:
    return crystal("Fd-3m", Lattice.cubic(5.43), ["Si"], [[0, 0, 0]])


def cut(given_crystal, edge=10.0, seed=0):
    """A window of any orientation and offset, and the lattice in its frame."""
    rng = np.random.default_rng(seed)
    lattice = given_crystal.lattice @ Rotation.random(random_state=rng).as_matrix()
    origin = rng.random(3) @ lattice
    return *window_of(lattice, given_crystal.frac_coords, given_crystal.numbers, edge, origin), lattice


@pytest.mark.parametrize(
    ("given_crystal", "sites"),
    [
        (rock_salt(), 2),
        (rock_salt("Na"), 1),  # simple cubic, half the edge
        (caesium_chloride(), 2),
        (caesium_chloride("Cs"), 1),  # body-centred
        (caesium_chloride("Cs", 0.48), 2),  # 0.14 Å off the centre: no longer
        (perovskite(), 5),
        (rutile(), 6),
        (diamond(), 2),
    ],
    ids=["rock salt", "simple cubic", "CsCl", "bcc", "nearly bcc", "perovskite", "rutile", "diamond"],
)
@pytest.mark.parametrize("seed", range(3))
def test_the_primitive_crystal_comes_back(given_crystal, sites, seed):
    positions, numbers, lattice = cut(given_crystal, seed=seed)
    back = crystal_from_window(positions, numbers)
    assert len(back) == sites
    assert back.volume / sites == pytest.approx(given_crystal.volume / len(given_crystal), rel=1e-6)
    assert rms_displacement(given_crystal, back) == pytest.approx(0, abs=1e-5)
    # The cell given, a supercell of the primitive one maybe, is whole cells of what was found, in the window's frame.
    cells = lattice @ np.linalg.inv(crystal_from_window(positions, numbers).lattice)
    assert np.allclose(cells, np.round(cells), atol=1e-6)
    assert abs(np.linalg.det(cells)) == pytest.approx(len(given_crystal) / sites)
    assert np.allclose(niggli(back)[0].lattice, back.lattice)  # reduced already


def test_a_supercell_is_reduced():
    structure = rutile().to_pymatgen() * [[1, 1, 0], [0, 2, 0], [0, 0, 3]]
    positions, numbers, _ = cut(Crystal.from_pymatgen(structure), seed=5)
    assert len(crystal_from_window(positions, numbers)) == 6


def test_an_ordered_superstructure_is_not_averaged():
    """One atom of sixteen differs; every other translation of the parent maps 7 of 8 atoms."""
    structure = Structure.from_spacegroup("Im-3m", Lattice.cubic(2.9), ["Fe"], [[0, 0, 0]]) * [2, 2, 2]
    structure.replace(0, "Al")
    given_crystal = Crystal.from_pymatgen(structure)
    for seed in range(3):
        back = crystal_from_window(*cut(given_crystal, 15.0, seed)[:2], edge=15.0)
        assert len(back) == 16
        assert rms_displacement(given_crystal, back) is not None


@few
@given(crystals(max_sites=4, min_separation=1.2, elements=(6, 8, 14)), st.integers(0, 10**6))
def test_any_crystal_comes_back_from_a_window_that_is_large_enough(given_crystal, seed):
    longest = np.linalg.norm(niggli(given_crystal)[0].lattice, axis=1).max()
    edge = max(10.0, 2 * float(longest))
    positions, numbers, _ = cut(given_crystal, edge, seed)
    assert rms_displacement(given_crystal, crystal_from_window(positions, numbers, edge)) is not None


@pytest.mark.parametrize("given_crystal", [rock_salt(), perovskite(), rutile(), diamond()])
def test_damaged_windows_give_the_same_crystal(given_crystal):
    for seed in range(3):
        positions, numbers, _ = cut(given_crystal, seed=seed)
        rng = np.random.default_rng(seed)
        positions = positions + 0.05 * rng.normal(size=positions.shape)
        numbers = np.where(rng.random(len(numbers)) < 0.02, 7, numbers)
        stays = rng.random(len(numbers)) >= 0.02
        folded = explain(positions[stays], numbers[stays])
        back = crystal_from_window(positions[stays], numbers[stays])
        assert rms_displacement(given_crystal, back) < 0.03
        assert folded.noise == pytest.approx(0.05 * np.sqrt(3), rel=0.35)


def test_a_lattice_that_leaves_too_much_unexplained_is_refused():
    positions, numbers, _ = cut(rock_salt(), seed=1)
    numbers = np.where(np.arange(len(numbers)) % 12 == 0, 7, numbers)
    assert len(crystal_from_window(positions, numbers, config=LatticeConfig(errors=0.1))) == 2
    with pytest.raises(LatticeError, match=r"explains .* the best leaves .*% unexplained"):
        crystal_from_window(positions, numbers, config=LatticeConfig(errors=0.01))


def test_a_window_smaller_than_the_cell_says_so():
    slab = Structure(Lattice.tetragonal(3.0, 14.0), ["Ti", "O", "C"], [[0, 0, 0], [0, 0, 0.13], [0.5, 0.5, 0.34]])
    positions, numbers = window_of(slab.lattice.matrix, slab.frac_coords, np.array([22, 8, 6]), 10.0)
    with pytest.raises(LatticeError, match=r"window of 10 Å shows no third period of its \d+ atoms"):
        crystal_from_window(positions, numbers)


def test_a_cell_of_which_a_part_is_not_seen_is_refused():
    """Seven atoms in 9 Å, along the window's diagonal: its corners show what repeats, not all that there is."""
    rng = np.random.default_rng(4)
    sites = rng.random((40, 3))
    turned = np.eye(3) * 9.0 @ Rotation.from_euler("xyz", [30, 40, 50], degrees=True).as_matrix()
    positions, numbers = window_of(turned, sites, np.arange(1, 41), 10.0)
    with pytest.raises(LatticeError, match="does not hold"):
        crystal_from_window(positions, numbers)


def test_atoms_in_disorder_have_no_lattice():
    rng = np.random.default_rng(0)
    for count in (1, 2, 10, 80):
        with pytest.raises(LatticeError, match=r"shows no|explains"):
            crystal_from_window(rng.random((count, 3)) * 10, rng.integers(5, 8, count))
    with pytest.raises(LatticeError, match="no atoms"):
        crystal_from_window(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
