from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xtalcodec.atom_finders.planned import assigned

few = settings(max_examples=60, deadline=None, derandomize=True)

SHARES = st.floats(0.01, 1.0)
ELEMENTS = 4


def sum_of_logs(likeness, probability, places, numbers):
    return float(np.log(likeness[places] * probability[places, numbers]).sum())


@st.composite
def fields(draw):
    """Places of one crystal, at least as many as its atoms."""
    holding = draw(st.dictionaries(st.integers(1, ELEMENTS - 1), st.integers(1, 2), min_size=1, max_size=2))
    places = sum(holding.values()) + draw(st.integers(0, 2))
    return (
        draw(arrays(np.float64, places, elements=SHARES)),
        draw(arrays(np.float64, (places, ELEMENTS), elements=SHARES)),
        holding,
    )


@few
@given(fields())
def test_no_other_assignment_is_likelier(field):
    likeness, probability, holding = field
    which = np.zeros(len(likeness), dtype=int)
    kept, numbers = assigned(which, likeness, probability, [holding])
    assert len({*kept.tolist()}) == len(kept)
    assert (np.diff(kept) > 0).all()
    assert dict(zip(*(x.tolist() for x in np.unique(numbers, return_counts=True)), strict=True)) == holding
    atoms = np.repeat([*holding], [*holding.values()])
    best = max(
        sum_of_logs(likeness, probability, list(places), atoms)
        for places in permutations(range(len(likeness)), len(atoms))
    )
    assert sum_of_logs(likeness, probability, kept, numbers) == pytest.approx(best)


def test_crystals_keep_to_their_own_places():
    which = np.array([0, 0, 2])
    kept, numbers = assigned(which, np.ones(3), np.ones((3, ELEMENTS)), [{1: 1}, {2: 1}, {3: 2}])
    np.testing.assert_array_equal(numbers, [1, 3])  # one place of the first is left, the third lacks an atom
    np.testing.assert_array_equal(which[kept], [0, 2])


def test_an_impossible_element_is_given_a_place_only_where_it_must_be():
    probability = np.array([[0, 0.9, 0.1, 0], [0, 1.0, 0, 0]])
    _, numbers = assigned(np.zeros(2, int), np.ones(2), probability, [{1: 1, 2: 1}])
    np.testing.assert_array_equal(numbers, [2, 1])
