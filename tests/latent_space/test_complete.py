"""Completed crystals keep what is known, whatever the prior says."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from xtalcodec import Codec
from xtalcodec.codecs.decoding import DecodedCrystal
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.distances import distances
from xtalcodec.geometry.room import Room, room
from xtalcodec.latent_space.agreed import Agreed, Sites
from xtalcodec.latent_space.complete import _surprise, _told_apart, complete
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.priors import open_prior
from xtalcodec.priors.about import PriorError
from xtalcodec.priors.flow.prior import FlowPrior
from xtalcodec.priors.flow.settings import FlowConfig, SamplerConfig
from xtalcodec.representations.periodic import PeriodicConfig

SITES = np.array([[0.1, 0, 0], [0.6, 0.5, 0.5], [0.6, 0.5, 0], [0.6, 0, 0.5], [0.1, 0.5, 0.5]])
TITANATES = [
    Crystal(a * np.eye(3), SITES, np.array([z, 22, 8, 8, 8]), name)
    for z, a, name in ((38, 3.905, "SrTiO3"), (56, 4.0, "BaTiO3"), (20, 3.84, "CaTiO3"))
]
OXYGEN = np.array([False, False, True, True, True])


@pytest.fixture(scope="module")
def codec():
    torch.manual_seed(0)
    return open_codec(CodecConfig("tiny", PeriodicConfig(), PatchConfig(width=24, heads=2, noise=0.5)))


@pytest.fixture(scope="module")
def flow(codec):
    sizes = {"width": 16, "heads": 2, "layers": 1, "cell_width": 16, "cell_layers": 1, "composition_width": 16}
    config = FlowConfig(**sizes, composition_layers=1, most_sites=8, most_elements=4)
    return FlowPrior.fit(codec, TITANATES, config, steps=2, batch_patches=64).sampled_by(SamplerConfig(steps=2))


@pytest.mark.parametrize("as_drawn", [True, False])
def test_known_sites_stay_where_they_are_in_the_cell_that_was_given(codec, flow, as_drawn):
    shear = np.array([[1, 0, 0], [1, 1, 0], [0, 2, 1]])
    given = TITANATES[0].in_basis(shear)
    gone = given.numbers == 8
    ways = complete(codec, flow, given, gone, 4, seed=1, as_drawn=as_drawn)
    assert 0 < len(ways) <= 4
    order = [(bool(way.reason), -way.confidence if as_drawn else way.doubt) for way in ways]
    assert order == sorted(order)
    for way in ways:
        right = way.added == 3 and not room(way.crystal).reasons
        assert (way.surprise is not None) == (right and not as_drawn)
        assert (way.reason == "") == right
    for way in ways:
        np.testing.assert_allclose(way.crystal.lattice, given.lattice)
        np.testing.assert_allclose(way.crystal.frac_coords[:2], given.frac_coords[~gone])
        assert way.crystal.numbers[:2].tolist() == [38, 22]
        assert len(way.crystal) == 2 + way.added
        assert set(way.crystal.elements) <= {8, 22, 38}
    again = complete(codec, flow, given, gone, 4, seed=1, as_drawn=as_drawn)
    np.testing.assert_allclose(again[0].crystal.frac_coords, ways[0].crystal.frac_coords, atol=1e-6)


def test_what_is_decoded_is_told_from_what_is_known():
    """Decoded perfectly but for one known site, far off: two of three are found, and the oxygens alone are new."""
    known = replace(TITANATES[0], frac_coords=SITES[:3], numbers=np.array([38, 22, 8]))
    moved = SITES + np.array([0.01, 0, 1.0])
    moved[0] += 0.4
    way = _told_apart(known, DecodedCrystal(replace(TITANATES[0], frac_coords=moved), np.ones(5), 0.9))
    assert way.found == pytest.approx(2 / 3)
    assert way.confidence == pytest.approx(0.6)
    assert way.added == 2
    np.testing.assert_allclose(way.crystal.frac_coords, np.concatenate([SITES[:3], moved[[3, 4]]]))
    assert way.crystal.numbers.tolist() == [38, 22, 8, 8, 8]


def test_a_new_atom_on_a_known_ones_place_is_exchanged_with_it():
    """Fluorine was decoded on the place of a known oxygen, and that oxygen in the hole: the hole takes the fluorine."""
    known = replace(TITANATES[0], frac_coords=SITES[:4], numbers=np.array([38, 22, 8, 8]))
    crystal = replace(TITANATES[0], frac_coords=SITES + 0.01, numbers=np.array([38, 22, 8, 9, 8]))
    way = _told_apart(known, DecodedCrystal(crystal, np.ones(5), 0.9))
    assert (way.found, way.added) == (0.75, 1)
    np.testing.assert_allclose(way.crystal.frac_coords, np.concatenate([SITES[:4], SITES[4:] + 0.01]))
    assert way.crystal.numbers.tolist() == [38, 22, 8, 8, 9]


def test_what_has_no_room_is_drawn_again_and_the_rest_is_left(monkeypatch):
    """What is so is told by a digit of a coordinate, which is as good as a coin."""
    monkeypatch.setattr("xtalcodec.latent_space.complete.room", lambda one: Room(1.0, ("none",) * _fails(one)))
    flow, codec = open_prior("perov-5").flow, Codec.from_pretrained("perov-5")
    gone = np.array([True, True, False, False, False])
    once, often = (
        {
            way.draws[0]: way
            for way in complete(codec, flow.sampled_by(sampler), TITANATES[0], gone, 12, seed=1, as_drawn=True)
        }
        for sampler in (SamplerConfig(steps=2, tries=1), SamplerConfig(steps=2, tries=6))
    )
    failed = [number for number, way in once.items() if _fails(way.crystal)]
    assert 0 < len(failed) < len(once) == 12
    assert sum(_fails(way.crystal) for way in often.values()) < len(failed)
    for number, way in once.items():
        changed = not np.array_equal(way.crystal.frac_coords, often[number].crystal.frac_coords)
        assert changed == (number in failed)


def _fails(crystal):
    return bool(crystal.frac_coords[-1].sum() % 0.02 < 0.01)


def test_oxygen_is_drawn_where_it_was_and_the_draws_agree_on_it():
    flow, codec = open_prior("perov-5"), Codec.from_pretrained("perov-5")
    shear = np.array([[1, 0, 0], [1, 1, 0], [0, 2, -1]])  # left-handed too
    given = TITANATES[1].in_basis(shear)
    gone = given.numbers == 8
    drawn, agreed = (complete(codec, flow, given, gone, 6, seed=2, as_drawn=as_drawn) for as_drawn in (True, False))
    assert len(drawn) == 6
    off = [
        [distances(given.frac_coords[gone], w.crystal.frac_coords[2:], given.lattice).min(1).max() for w in ways]
        for ways in (drawn, agreed)
    ]
    assert off[1][0] < 1e-3 < np.median(off[0])  # Å
    assert len(agreed[0].draws) > 1
    assert agreed[0].confidence > 0.5


def test_what_is_right_surprises_the_flow_less_whatever_stands_beside_it():
    flow, codec = open_prior("perov-5").flow, Codec.from_pretrained("perov-5")
    given = TITANATES[1]
    known = replace(given, frac_coords=SITES[:2], numbers=given.numbers[:2])
    part = codec.encode_placed([codec.place(given)], refine=False)[0]
    part = replace(part, origin=np.array([0.9, 0.0, 0.0]))
    right, wrong = (Sites(SITES[2:] + off, given.numbers[2:]) for off in (0.0, np.array([0.2, 0.0, 0.15])))
    found = _surprise(codec, flow, known, [wrong, right, right], part, 3)
    assert found[1] < 0.7 * found[0]
    assert found[1] == pytest.approx(found[2], abs=1e-5), "hidden in the same noise"
    assert _surprise(codec, flow, known, [right], part, 3)[0] == pytest.approx(found[1], rel=0.02)
    assert _surprise(codec, flow, known, [], part, 3) == []


def test_what_surprises_the_flow_comes_later_and_other_atoms_last(codec, flow, monkeypatch):
    def complete_all():
        return complete(codec, flow, TITANATES[0], np.zeros(5, dtype=bool), 12, added={8: 1}, seed=1)

    def found(*_):
        """Four ways, the last with two atoms in place of one, and one before them that lies on a known atom."""
        free, taken = np.array([[0.3, 0.3, 0.3]]), TITANATES[0].frac_coords[:1] + 0.01
        ways = [Sites(free, np.array([8]))] * 3 + [Sites(np.array([free[0], [0.9, 0.7, 0.7]]), np.array([8, 8]))]
        return [Agreed(Sites(taken, np.array([8])), 0.95, ())] + [
            Agreed(s, 0.9 - 0.1 * k, ()) for k, s in enumerate(ways)
        ]

    monkeypatch.setattr("xtalcodec.latent_space.complete.agreed", found)
    monkeypatch.setattr(FlowPrior, "surprise", lambda *_: [0.9, 0.3, 0.32])
    ways = complete_all()
    assert [way.surprise for way in ways] == [0.3, 0.32, 0.9, None, None]
    assert [way.added for way in ways] == [1, 1, 1, 1, 2]
    assert [way.reason for way in ways[:3]] == [""] * 3
    assert "apart" in ways[3].reason
    assert ways[4].reason == "it adds O2 in place of O1"
    monkeypatch.setattr(FlowPrior, "surprise", lambda *_: [0.31] * 3)
    assert [round(way.confidence, 2) for way in complete_all()] == [0.9, 0.8, 0.7, 0.95, 0.6], (
        "of equals the surest first"
    )


def test_atoms_can_be_added(codec, flow):
    for added, formula in (({8: 1}, {8, 22, 38}), (2, None)):
        (way, *_) = complete(codec, flow, TITANATES[0], np.zeros(5, dtype=bool), 2, added=added)
        assert formula is None or set(way.crystal.elements) <= formula


def test_requests_that_make_no_sense_are_told(codec, flow):
    nothing, everything = np.zeros(5, dtype=bool), np.ones(5, dtype=bool)
    with pytest.raises(CrystalError, match="no atom is to be added"):
        complete(codec, flow, TITANATES[0], OXYGEN, added=0)
    with pytest.raises(CrystalError, match="nothing is taken out and nothing is to be added"):
        complete(codec, flow, TITANATES[0], nothing)
    with pytest.raises(PriorError, match="at least one way, not 0"):
        complete(codec, flow, TITANATES[0], OXYGEN, 0)
    with pytest.raises(CrystalError, match="it is said of 4 sites whether they are gone; the crystal has 5"):
        complete(codec, flow, TITANATES[0], OXYGEN[:4])
    with pytest.raises(CrystalError, match="all of SrTiO3 would be taken out"):
        complete(codec, flow, TITANATES[0], everything)
    with pytest.raises(PriorError, match="never saw U in training"):
        complete(codec, flow, TITANATES[0], OXYGEN, added={92: 1})
    with pytest.raises(CrystalError, match="of an element that is added there is at least one atom"):
        complete(codec, flow, TITANATES[0], OXYGEN, added={22: 2, 8: -1})
    with pytest.raises(PriorError, match="15 sites are asked for; this prior makes cells of 1 to 8"):
        complete(codec, flow, TITANATES[0], nothing, added=10)
