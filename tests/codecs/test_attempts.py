"""Which origins are tried, in which way, and what is kept."""

import numpy as np
import pytest
import torch

from xtalcodec.codecs.attempts import encode_to_come_back
from xtalcodec.codecs.misfit import Misfit
from xtalcodec.codecs.refine import RefineConfig
from xtalcodec.crystal import Crystal
from xtalcodec.representations import portions
from xtalcodec.representations.base import spread_origin

RIGHT, NEAR, FAR, WRONG, LOST = Misfit(0, 0.01), Misfit(0, 0.05), Misfit(0, 0.3), Misfit(0.06, 0.01), Misfit(2, np.inf)
PATCHES = (1, 1, 2)


class Stub:
    """A codec of which it is written down how each crystal comes back, attempt by attempt."""

    can_refine = True
    can_check = False

    def __init__(self, stories, **settings):
        self.stories, self.calls = {name: iter(story) for name, story in stories.items()}, []
        self.crystals = [Crystal(np.eye(3) * 3, np.array([[0.1, 0.2, 0.3]]), np.array([3]), name) for name in stories]
        self.config, self.refine, self.representation = self, RefineConfig(**settings), self

    def origin(self, _crystal, attempt):
        return spread_origin(attempt)

    def closest(self, crystals, grids):
        assert [*grids] == [self.grid(c.name) for c in crystals]
        return self.latents(crystals), self.told(crystals, descend=False)

    def checked(self, crystals, grids):
        self.calls.append(("checked", False))
        return self.closest(crystals, grids)

    def descend(self, crystals, patches, z):
        assert {self.grid(c.name) for c in crystals} == {patches}
        assert torch.equal(z, torch.stack(self.latents(crystals))), "descent begins where correction ended"
        return z, self.told(crystals, descend=True)

    def told(self, crystals, *, descend):
        self.calls.append(("".join(c.name for c in crystals), descend))
        return [next(self.stories[c.name]) for c in crystals]

    def grid(self, name):
        return (1, 1, 3) if name == "z" else PATCHES

    def latents(self, crystals):
        return [torch.tensor(c.frac_coords) for c in crystals]

    def encoded(self):
        found = encode_to_come_back(self, self.crystals, [self.grid(c.name) for c in self.crystals])
        return [one.z for one in found], [one.origin for one in found]


def on(stub, z, origins):
    """Attempt that each crystal's latent and origin are of."""
    places = [spread_origin(k) for k in range(8)]
    found = [next(k for k, place in enumerate(places) if np.allclose(place, origin)) for origin in origins]
    for crystal, row, shift in zip(stub.crystals, z, origins, strict=True):
        assert np.allclose(row.numpy(), crystal.frac_coords + shift)
    return found


def test_each_crystal_leaves_when_it_is_right():
    stub = Stub({"a": [RIGHT], "b": [FAR, RIGHT], "c": [LOST, WRONG, RIGHT]}, origins=4)
    assert on(stub, *stub.encoded()) == [0, 1, 2]
    assert stub.calls == [("abc", False), ("bc", False), ("c", False)]


def test_descent_is_for_what_is_wrong_on_every_origin():
    stub = Stub({"a": [NEAR, NEAR], "b": [WRONG, LOST, LOST, RIGHT]}, origins=2)
    assert on(stub, *stub.encoded()) == [0, 1]
    assert stub.calls == [("ab", False), ("ab", False), ("b", True), ("b", True)]


def test_what_is_far_off_descends_once():
    stub = Stub({"a": [FAR] * 3, "b": [LOST, LOST, RIGHT]}, origins=2)
    assert on(stub, *stub.encoded()) == [0, 0]
    assert stub.calls == [("ab", False), ("ab", False), ("ab", True)]


def test_all_other_origins_descend_together():
    stub = Stub({"a": [LOST] * 5 + [WRONG, RIGHT, NEAR], "b": [WRONG] * 4 + [RIGHT]}, origins=4)
    assert on(stub, *stub.encoded()) == [2, 0]
    assert stub.calls == [("ab", False)] * 4 + [("ab", True), ("aaa", True)]


def test_so_many_descend_together_as_go_through_a_network_at_once(monkeypatch):
    monkeypatch.setattr(portions, "BATCH_PATCHES", 5)
    stub = Stub({"a": [LOST] * 7 + [RIGHT]}, origins=4)
    assert on(stub, *stub.encoded()) == [3]
    assert stub.calls == [("a", False)] * 4 + [("a", True), ("aa", True), ("a", True)]


def test_other_origins_are_for_what_is_wrong_or_far_off_and_not_for_what_is_nearly_there():
    stub = Stub({"a": [NEAR], "b": [FAR, RIGHT]}, origins=4, retried=0.06)
    assert on(stub, *stub.encoded()) == [0, 1]
    assert stub.calls == [("ab", False), ("b", False)]


def test_crystals_of_several_grids_are_corrected_together_and_descend_apart():
    stub = Stub({"a": [LOST, LOST, RIGHT], "z": [LOST, LOST, RIGHT], "b": [RIGHT]}, origins=2)
    assert on(stub, *stub.encoded()) == [0, 0, 0]
    assert [(sorted(names), descend) for names, descend in stub.calls[:2]] == [([*"abz"], False), ([*"az"], False)]
    assert sorted(stub.calls[2:]) == [("a", True), ("z", True)]


@pytest.mark.parametrize(("wrong", "calls"), [(0.06, 2), (0.08, 1), (0.9, 1), (1.0, 2), (2.0, 2)])
def test_occupancies_that_are_far_off_do_not_descend_on_other_origins(wrong, calls):
    for ordered in (False, True):
        stub = Stub({"a": [Misfit(wrong, 0.0)] * 9}, origins=2)
        if not ordered:
            stub.crystals = [
                Crystal.of_shares(np.eye(3) * 3, np.array([[0.1, 0.2, 0.3]]), [[(3, 0.6), (11, 0.4)]], "a")
            ]
        stub.encoded()
        assert [descend for _, descend in stub.calls].count(True) == (2 if ordered else calls)


def test_without_corrections_descent_comes_at_once():
    stub = Stub({"a": [RIGHT], "b": [FAR, RIGHT], "c": [WRONG, WRONG, LOST, RIGHT]}, origins=2, corrections=0)
    assert on(stub, *stub.encoded()) == [0, 0, 1]
    assert stub.calls == [("abc", False), ("bc", True), ("c", False), ("c", True)]


def test_what_never_comes_back_keeps_its_best():
    stub = Stub({"a": [LOST, WRONG, LOST, LOST, LOST, LOST]}, origins=3)
    assert on(stub, *stub.encoded()) == [1]
    assert len(stub.calls) == 5


@pytest.mark.parametrize(("settings", "refines", "calls"), [({"largest": 1}, True, 1), ({}, False, 3)])
def test_large_cells_have_one_origin_and_not_every_codec_descends(settings, refines, calls):
    stub = Stub({"a": [LOST] * 6}, origins=3, **settings)
    stub.can_refine = refines
    stub.encoded()
    assert stub.calls == [("a", False)] * calls


def test_the_encoders_own_latents_are_kept_where_what_is_read_can_be_checked():
    stub = Stub({"a": [FAR, NEAR], "b": [LOST, LOST, RIGHT], "c": [RIGHT]}, origins=2)
    stub.can_check = True
    found = encode_to_come_back(stub, stub.crystals, [PATCHES] * 3)
    assert [one.plain for one in found] == [False, True, False]
    checked = ("checked", False)
    assert stub.calls == [checked, ("abc", False), checked, ("ab", False), ("b", False)]
