import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from scipy.spatial.transform import Rotation

from xtalcodec.geometry.window_lattice.folding import window_of
from xtalcodec.geometry.window_lattice.translations import TranslationConfig, Translations, find_translations, proposals

config = TranslationConfig()


def rock_salt_window(seed, noise=0.0):
    structure = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    rng = np.random.default_rng(seed)
    lattice = structure.lattice.matrix @ Rotation.random(random_state=rng).as_matrix()
    numbers = np.array([site.specie.Z for site in structure])
    positions, numbers = window_of(lattice, structure.frac_coords, numbers, 10.0, rng.random(3) @ lattice)
    return positions + noise * rng.normal(size=positions.shape), numbers, lattice


def holds(lattice):
    """Translations without evidence to speak of, which all hold."""
    return Translations(lattice, np.zeros((len(lattice), 20)), np.ones((len(lattice), 20), dtype=bool))


@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_translations_of_rock_salt_are_the_face_centred_lattice(noise):
    positions, numbers, lattice = rock_salt_window(0, noise)
    found = find_translations(positions, numbers, 10.0, config)
    accepted = found.accepted(0.3, 0.9, 12)
    halves = found.vectors[accepted] @ np.linalg.inv(lattice) * 2
    assert np.allclose(halves, np.round(halves), atol=0.06)
    assert (np.round(halves).sum(1) % 2 == 0).all()  # even sums: face-centred
    length = np.linalg.norm(found.vectors[accepted], axis=1)
    assert (np.diff(length) > -0.1).all()
    near = np.round(halves[length < 5.6 / np.sqrt(2) + 0.1]).astype(int)
    assert len({max(tuple(h), tuple(-h)) for h in near}) == 6  # of twelve neighbours, one of each ± pair


def test_hits_are_counted_by_a_loop_too():
    positions, numbers, _ = rock_salt_window(1, 0.02)
    found = find_translations(positions, numbers, 10.0, config)
    hits = found.hits(0.3)
    for k in range(0, len(hits), 9):
        count = 0
        for sign in (1, -1):
            for r, z in zip(positions, numbers, strict=True):
                to = r + sign * found.vectors[k]
                away = np.linalg.norm(positions - to, axis=1)
                inside = (to > config.skin).all() and (to < 10 - config.skin).all()
                count += bool(inside and away.min() < 0.29 and numbers[away.argmin()] == z)
        assert abs(hits[k] - count) <= max(2, 0.05 * count)  # the vector was centred after it was tried


def test_what_a_sublattice_leaves_over_is_proposed_too():
    lattice = np.diag([4.0, 4.0, 4.0])
    body = np.array([2.0, 2.0, 2.0]) + lattice.sum(0)  # a long way to the body's centre
    bases = list(proposals(holds(np.vstack([lattice, body])), config))
    assert [abs(np.linalg.det(b)) for b in bases] == pytest.approx([64, 32])


def test_fewer_than_three_periods_are_told():
    assert [len(b) for b in proposals(holds(np.zeros((0, 3))), config)] == [0]
    assert [len(b) for b in proposals(holds(np.array([[3.0, 0, 0], [6.0, 0.1, 0]])), config)] == [1]
    plane = np.array([[3.0, 0, 0], [0, 4.0, 0], [3.0, 4.0, 0.1]])
    assert [len(b) for b in proposals(holds(plane), config)] == [2]
