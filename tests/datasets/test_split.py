"""Held-out crystals."""

from hypothesis import given
from hypothesis import strategies as st

from xtalcodec.datasets.split import held_out

NAMES = [f"crystal-{k}" for k in range(2000)]


def test_the_share_is_about_right_and_seeds_differ():
    first, second = held_out(NAMES, 0.1), held_out(NAMES, 0.1, seed=1)
    assert abs(sum(first) - 200) < 60
    assert first != second
    assert not any(held_out(NAMES, 0.0))
    assert all(held_out(NAMES, 1.0))


@given(st.sets(st.sampled_from(NAMES), min_size=1))
def test_a_crystal_stays_on_its_side_when_others_join(some):
    whole = dict(zip(NAMES, held_out(NAMES, 0.3), strict=True))
    assert held_out(sorted(some), 0.3) == [whole[name] for name in sorted(some)]
