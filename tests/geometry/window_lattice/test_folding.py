import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from scipy.spatial.transform import Rotation

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.window_lattice.folding import FoldConfig, fold, reproduced, window_of
from xtalcodec.testing import crystals

few = settings(max_examples=20, deadline=None, derandomize=True)


def rutile() -> Crystal:
    structure = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.59, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
    )
    return Crystal.from_pymatgen(structure)


def cut(crystal, edge, seed):
    """A window of any orientation and offset, and the lattice in its frame."""
    rng = np.random.default_rng(seed)
    lattice = crystal.lattice @ Rotation.random(random_state=rng).as_matrix()
    origin = rng.random(3) @ lattice
    return *window_of(lattice, crystal.frac_coords, crystal.numbers, edge, origin), lattice, origin


def apart(a, b, lattice):
    """Distances of all of `a` from all of `b` on the torus, Å, for distances much below the cell's heights."""
    off = a[:, None] - b
    return np.linalg.norm((off - np.round(off)) @ lattice, axis=-1)


@few
@given(crystals(max_sites=4, left_handed=True), st.integers(0, 10**6))
def test_a_window_holds_what_a_loop_over_cells_finds(crystal, seed):
    positions, numbers, lattice, origin = cut(crystal, 5.0, seed)
    heights = 1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    reach = [int(np.ceil((5 * np.sqrt(3) + np.linalg.norm(origin)) / h)) + 2 for h in heights]
    found = []
    for cell in itertools.product(*(range(-n, n + 1) for n in reach)):
        for x, z in zip(crystal.frac_coords, crystal.numbers, strict=True):
            r = (x + np.array(cell)) @ lattice - origin
            if (r >= 0).all() and (r < 5).all():
                found.append((*r, z))
    given_back = np.column_stack([positions, numbers])
    assert len(found) == len(given_back)
    if found:
        truth = np.array(sorted(found))
        order = np.lexsort(given_back.T[::-1])
        assert np.allclose(given_back[order], truth, atol=1e-9)


@few
@given(crystals(max_sites=5, min_separation=1.0), st.integers(0, 10**6))
def test_folding_a_window_gives_its_sites(crystal, seed):
    positions, numbers, lattice, origin = cut(crystal, 10.0, seed)
    if not len(numbers):
        with pytest.raises(ValueError, match="no atoms"):
            fold(positions, numbers, lattice)
        return
    folded = fold(positions, numbers, lattice)
    distance = apart(crystal.frac_coords - origin @ np.linalg.inv(lattice), folded.frac_coords, lattice)
    assert np.allclose(folded.lattice, lattice, atol=1e-6)
    assert (distance.min(0) < 1e-6).all()
    assert (crystal.numbers[distance.argmin(0)] == folded.numbers).all()
    assert len(np.unique(distance.argmin(0))) == len(folded.numbers)
    assert (folded.seen == folded.expected).all()
    assert (folded.agreement == 1).all()
    assert (folded.spread < 1e-6).all()
    assert ((folded.frac_coords >= 0) & (folded.frac_coords < 1)).all()
    assert reproduced(folded, positions, numbers, 10.0)[0] == 0


@pytest.mark.parametrize("seed", range(5))
def test_a_lattice_that_is_off_is_refined(seed):
    positions, numbers, lattice, _ = cut(rutile(), 10.0, seed)
    strain = np.eye(3) + 0.01 * np.random.default_rng(seed).normal(size=(3, 3))
    folded = fold(positions, numbers, lattice @ strain)
    assert np.allclose(folded.lattice, lattice, atol=1e-8)
    assert sorted(folded.numbers) == [8, 8, 8, 8, 22, 22]
    assert folded.noise < 1e-8
    kept = fold(positions, numbers, lattice * 1.002, refine=False)
    assert np.array_equal(kept.lattice, lattice * 1.002)
    assert kept.noise > 1e-3


@pytest.mark.parametrize("refine", [True, False])
def test_noise_is_averaged_and_told(refine):
    positions, numbers, lattice, origin = cut(rutile(), 20.0, 1)
    noisy = positions + 0.05 * np.random.default_rng(0).normal(size=positions.shape)
    folded = fold(noisy, numbers, lattice, 20.0, refine=refine)
    distance = apart(rutile().frac_coords - origin @ np.linalg.inv(lattice), folded.frac_coords, folded.lattice)
    copies = len(numbers) / 6
    assert folded.noise == pytest.approx(0.05 * np.sqrt(3), rel=0.1)
    assert folded.spread == pytest.approx(0.05 * np.sqrt(3), rel=0.2)
    assert distance.min(0).max() < 3 * 0.05 * np.sqrt(3 / copies)
    assert abs(folded.lattice - lattice).max() < 0.01


def test_wrong_missing_and_spurious_atoms_are_outvoted():
    positions, numbers, lattice, _ = cut(rutile(), 10.0, 2)
    truth = fold(positions, numbers, lattice)
    inner = ((positions > 1) & (positions < 9)).all(1).nonzero()[0]
    wrong = numbers.copy()
    wrong[inner[:4]] = 3
    stays = np.ones(len(numbers), dtype=bool)
    stays[inner[-3:]] = False
    between = positions[inner[5]] + (positions[inner[6]] - positions[inner[5]]) / 2
    damaged = np.vstack([positions[stays], between + 0.01]), np.append(wrong[stays], 8)
    folded = fold(*damaged, lattice)
    assert sorted(folded.numbers) == sorted(truth.numbers)
    assert apart(truth.frac_coords, folded.frac_coords, lattice).min(0).max() < 1e-6
    assert (folded.expected - folded.seen).sum() == 3
    assert folded.agreement.min() < 1
    misses, compared = reproduced(folded, *damaged, 10.0)
    assert misses == 4 + 3  # of the atoms that must be there
    assert compared == truth.expected.sum()


def test_of_two_species_with_as_many_votes_the_commoner_wins():
    lattice = np.diag([4.0, 4.0, 4.0])
    positions = np.array([[1.0, 1, 1], [5, 1, 1], [1, 3, 3], [5, 3, 3], [1, 5, 1]])
    numbers = np.array([6, 1, 6, 6, 1])
    folded = fold(positions[:4], numbers[:4], lattice, 8.0, FoldConfig(seen=0.0))
    assert folded.numbers.tolist() == [6, 6]
    assert sorted(folded.agreement) == [0.5, 1.0]
