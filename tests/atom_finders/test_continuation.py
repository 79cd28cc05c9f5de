import numpy as np

from xtalcodec.atom_finders.continuation import continued
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.matching import compare_atoms
from xtalcodec.representations.repeating import Repeating, RepeatingConfig

PEROVSKITE = Crystal(
    3.905 * np.eye(3),
    np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]),
    np.array([38, 22, 8, 8, 8]),
)


def test_a_lattice_continues_beyond_the_faces():
    rng = np.random.default_rng(0)
    view = Repeating(RepeatingConfig()).view(PEROVSKITE, rng)
    inside = view.inside(10.0)
    rough = view.positions[inside] + rng.normal(0, 0.02, (inside.sum(), 3))
    atoms = continued(rough, view.numbers[inside], 10.0, 4.0)
    assert (atoms.beyond(10.0) <= 4.0).all()
    score = compare_atoms(atoms.positions + 4, atoms.weights.astype(int), view.positions + 4, view.numbers, 18.0)
    assert score.perfect(0.06)
    assert len(atoms) > 5 * inside.sum()


def test_where_no_lattice_shows_nothing_is_continued():
    rng = np.random.default_rng(0)
    assert continued(rng.uniform(0, 10, (30, 3)), np.full(30, 14), 10.0, 4.0) is None
    assert continued(np.zeros((0, 3)), np.zeros(0, dtype=np.int64), 10.0, 4.0) is None
