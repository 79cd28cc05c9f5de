"""Training a head: it learns, it knows how far it is off, a seed decides everything."""

from dataclasses import replace

import numpy as np
import pytest

from xtalcodec.training.head_recipe import recipe_of
from xtalcodec.training.heads import Wanted, examples_of, measured, split, train_head
from xtalcodec.training.stepping import TrainingError

SMALL = recipe_of(["epochs=25", "batch=16", "network.site=32", "network.pooled=16", "network.hidden=32"])
WANTED = Wanted("volume", "Å³", 0.0)


@pytest.fixture(scope="module")
def volumes(mp, prototypes):
    """Small prototypes, and the volume per site of each in Å³: it follows from what surrounds the sites."""
    some = [c for c in prototypes if len(c) <= 8]
    return examples_of(some, [c.volume / len(c) for c in some], mp.look(SMALL.looks))[0]


def test_it_learns_what_follows_from_the_surroundings_and_knows_how_far_it_is_off(mp, volumes):
    learn, test = volumes.take(range(0, len(volumes), 2)), volumes.take(range(1, len(volumes), 2))
    made = [train_head(WANTED, learn, mp.identity, SMALL) for _ in "ab"]
    (head, facts), (again, _) = made
    assert head.about.stretch == again.about.stretch
    np.testing.assert_array_equal(head.of_seen(test.seen).values, again.of_seen(test.seen).values)
    scores = measured(head, test, float(np.median(learn.values)))
    assert scores["mae"] < 0.6 * scores["mae_of_the_median"]
    assert 0.7 < scores["coverage"] <= 1
    assert facts["crystals_used"] + facts["kept_back"] <= len(learn)
    assert scores["crystals"] == len(test)


def test_a_head_that_begins_with_another_learns_faster(mp, volumes):
    learn, test = volumes.take(range(0, len(volumes), 2)), volumes.take(range(1, len(volumes), 2))
    begun, _ = train_head(WANTED, learn, mp.identity, SMALL)
    twice = replace(learn, values=2 * learn.values + 1)
    short = replace(SMALL, epochs=10)
    off = [
        abs(
            train_head(WANTED, twice, mp.identity, short, start=start)[0].of_seen(test.seen).values
            - 2 * test.values
            - 1
        )
        for start in (None, begun)
    ]
    assert np.median(off[1]) < 0.8 * np.median(off[0])
    for other in ("network.site=16", "looks.shells=8"):
        with pytest.raises(TrainingError, match="the head for volume is begun with as it is: SurroundingsConfig"):
            train_head(WANTED, learn, mp.identity, recipe_of([other]), start=begun)


def test_a_refused_crystal_stays_in_the_mean(mp, volumes):
    learn = volumes.take(range(60))
    head, _ = train_head(WANTED, learn, mp.identity, recipe_of(["epochs=1"]))
    strange = [k for k, own in enumerate(volumes.elements) if not own <= {*head.about.elements}]
    assert strange
    scores = measured(head, volumes.take(strange), 10.0)
    assert scores["refused"] == len(strange)
    assert scores["mae"] == pytest.approx(abs(volumes.values[strange] - 10).mean())


def test_whole_compositions_are_kept_back():
    forms = [((11, 1.0),)] * 5 + [((k, 1.0),) for k in range(12, 107)]
    learnt, back = split(forms, recipe_of([]))
    assert sorted(learnt + back) == list(range(100))
    assert {forms[k] for k in learnt}.isdisjoint(forms[k] for k in back)
    assert 10 <= len(back) <= 14


def test_what_cannot_be_trained_is_said(mp, volumes):
    with pytest.raises(TrainingError, match="20 crystals with volume are too few: a head needs 30"):
        train_head(WANTED, volumes.take(range(20)), mp.identity, SMALL)
    same = volumes.take(range(40))
    same.values[:] = 3.0
    with pytest.raises(TrainingError, match="volume is 3 for all of 40 crystals"):
        train_head(WANTED, same, mp.identity, SMALL)
    with pytest.raises(TrainingError, match=r"volume is \S+ for a crystal, below 1000, the least it can be"):
        train_head(Wanted("volume", least=1000.0), volumes, mp.identity, SMALL)
    with pytest.raises(TrainingError, match="of one composition"):
        split([((11, 1.0),)] * 50, SMALL)
