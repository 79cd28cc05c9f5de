"""Controls are drawn as they say, and another seed draws others."""

import numpy as np
import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation.controls import NOBLE, drawn, halves, substituted
from xtalcodec.geometry.elements import radii


def crystal(numbers, name="x"):
    rng = np.random.default_rng(sum(numbers))
    return Crystal(5 * np.eye(3), rng.uniform(size=(len(numbers), 3)), np.array(numbers), name)


KNOWN = [crystal((22, 8, 8), "a"), crystal((11, 17), "b"), crystal((38, 22, 8, 8, 8), "c"), crystal((26, 16), "d")]


def test_elements_are_exchanged_and_nothing_else_but_the_size():
    made = substituted(KNOWN, 40, 0)
    present = set(np.concatenate([c.numbers for c in KNOWN]).tolist())
    names = {c.name: c for c in KNOWN}
    for new in made:
        old = names[new.name.partition("~")[0]]
        exchanged = dict(zip(old.numbers.tolist(), new.numbers.tolist(), strict=True))
        assert new.numbers.tolist() == [exchanged[z] for z in old.numbers.tolist()]
        assert len(set(exchanged.values())) == len(exchanged)
        assert not set(exchanged.values()) & set(exchanged)
        assert set(exchanged.values()) <= present
        assert (new.frac_coords == old.frac_coords).all()
        size = radii(new.numbers).mean() / radii(old.numbers).mean()
        assert new.lattice == pytest.approx(old.lattice * size)
    assert {c.name.partition("~")[0] for c in made} == set(names)
    again, other = substituted(KNOWN, 40, 0), substituted(KNOWN, 40, 1)
    assert [c.formula for c in made] == [c.formula for c in again] != [c.formula for c in other]


def test_carbon_becomes_any_element_that_is_stable():
    made = substituted([crystal((6, 6))], 200, 0)
    found = {int(z) for c in made for z in c.numbers}
    assert len(found) > 40
    assert not found & {*NOBLE, 6, 43, 61}
    assert max(found) <= 83
    with pytest.raises(ValueError, match="no crystal"):
        substituted([], 3, 0)


def test_halves_are_all_and_disjoint():
    first, second = halves([*KNOWN, crystal((3,), "e")], 3)
    assert (len(first), len(second)) == (3, 2)
    assert {c.name for c in first} | {c.name for c in second} == set("abcde")
    with pytest.raises(ValueError, match="--held-out"):
        halves(KNOWN[:1], 0)


def test_drawn_are_so_many_and_in_order():
    names = [c.name for c in drawn(KNOWN, 3, 0)]
    assert len(names) == 3
    assert names == sorted(names)
    assert drawn(KNOWN, 9, 0) == KNOWN
