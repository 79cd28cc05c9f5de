"""Crystals made from others: the same crystal in a larger cell, cut into slabs, or strained."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.symmetry import space_group
from xtalcodec.testing import crystals
from xtalcodec.training.derived import GAP, derive, repeated, slab, strained, supercell

few = settings(max_examples=20, deadline=None, derandomize=True)


def neighbours(crystal: Crystal) -> np.ndarray:
    """Distances from every site to the four nearest, images included, sorted, by ASE."""
    from ase.neighborlist import neighbor_list

    i, d = neighbor_list("id", crystal.to_ase(), 9.0)
    return np.array(sorted(sorted(d[i == k])[:4] for k in range(len(crystal))))


def spinel_like() -> Crystal:
    lattice = np.array([[4.2, 0, 0], [0.3, 4.8, 0], [-0.5, 0.4, 5.1]])
    frac = np.array([[0.1, 0.1, 0.1], [0.55, 0.6, 0.5], [0.3, 0.7, 0.95]])
    return Crystal.of_shares(lattice, frac, [[(12, 0.7), (26, 0.3)], [(13, 1.0)], [(8, 0.9)]])


@few
@given(crystals(), st.tuples(*[st.integers(1, 2)] * 3))
def test_a_supercell_is_the_same_crystal(crystal, counts):
    large = supercell(crystal, np.array(counts))
    assert len(large) == len(crystal) * np.prod(counts)
    assert large.volume == pytest.approx(crystal.volume * np.prod(counts))
    np.testing.assert_allclose(large.content, crystal.content * np.prod(counts))


def test_every_site_of_a_supercell_has_the_neighbours_of_the_original():
    crystal = spinel_like()
    large = supercell(crystal, np.array([2, 1, 3]))
    np.testing.assert_allclose(neighbours(large)[::6], neighbours(crystal), atol=1e-9)
    np.testing.assert_allclose(large.occupancies[:3], crystal.occupancies)


@pytest.mark.parametrize("seed", range(8))
def test_a_slab_keeps_its_atoms_and_stands_in_vacuum(seed):
    crystal = spinel_like()
    cut = slab(crystal, np.random.default_rng(seed))
    layers = len(cut) // len(crystal)
    assert len(cut) == layers * len(crystal)
    np.testing.assert_allclose(cut.content, crystal.content * layers)
    normal = np.cross(cut.lattice[0], cut.lattice[1])
    normal /= np.linalg.norm(normal)
    assert abs(cut.lattice[2] @ normal) == pytest.approx(np.linalg.norm(cut.lattice[2]))  # it stands upright
    height = (cut.frac_coords @ cut.lattice) @ normal
    vacuum = abs(cut.lattice[2] @ normal) - np.ptp(height)
    assert vacuum >= GAP[0]
    assert space_group(cut, 0.01) != "?"


def test_a_strained_cell_keeps_coordinates_and_content():
    crystal = spinel_like()
    other = strained(crystal, np.random.default_rng(0))
    np.testing.assert_array_equal(other.frac_coords, crystal.frac_coords)
    np.testing.assert_array_equal(other.occupancies, crystal.occupancies)
    strain = np.linalg.inv(crystal.lattice) @ other.lattice - np.eye(3)
    assert 0.01 < abs(strain).max() < 0.5


def test_repeating_ends_before_cells_are_large():
    crystal = spinel_like()
    sizes = [len(repeated(crystal, np.random.default_rng(seed))) for seed in range(30)]
    assert max(sizes) <= 120
    assert min(sizes) > len(crystal)


def test_the_same_seed_derives_the_same_crystals():
    given_, again, other = (derive([spinel_like()] * 4, 2.5, seed) for seed in (0, 0, 1))
    assert len(given_) == 10
    assert all((a.lattice == b.lattice).all() for a, b in zip(given_, again, strict=True))
    assert any(
        a.lattice.shape != b.lattice.shape or (a.lattice != b.lattice).any() for a, b in zip(given_, other, strict=True)
    )
    assert derive([spinel_like()], 0.0, 0) == []
