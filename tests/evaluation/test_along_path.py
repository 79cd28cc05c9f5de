"""Steps of a path, against ASE's distances and a potential of our own."""

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation import along_path
from xtalcodec.evaluation.along_path import Step, steps_along
from xtalcodec.latent_space.interpolate import elements_of, interpolate
from xtalcodec.latent_space.moving import move

PLACES = [[0, 0, 0], [0.5, 0.5, 0.5]]
ROCK_SALT = Crystal.from_pymatgen(Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], PLACES), "NaCl")
POTASSIUM = Crystal.from_pymatgen(Structure.from_spacegroup("Fm-3m", Lattice.cubic(6.29), ["K", "Cl"], PLACES), "KCl")


@pytest.fixture(scope="module")
def path(mp):
    return interpolate(mp, ROCK_SALT, POTASSIUM, 3, refine=False)


def test_every_step_tells_distance_group_and_confidence(mp, path):
    counts = []
    steps = steps_along(mp, path, elements=elements_of(ROCK_SALT, POTASSIUM), progress=counts.append)
    assert sum(counts) == len(steps) == 3
    assert [step.share for step in steps] == [0, 0.5, 1]
    for step in steps:
        atoms = step.decoded.crystal.to_ase().repeat(3)
        away = atoms.get_all_distances(mic=True)
        assert step.shortest == pytest.approx(away[away > 1e-3].min(), abs=2e-3)
        assert (step.space_group, step.valid, step.energy, step.why_no_energy) == ("Fm-3m", True, None, "")
        assert step.confidence == step.decoded.confidence


def test_the_ends_of_a_path_of_moved_atoms_are_what_was_given(mp):
    cell = np.eye(3)
    mixed = [[(56, 0.3), (38, 0.6)], [(22, 1.0)], *[[(8, 1.0)]] * 3]
    places = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    ends = Crystal.of_shares(3.9 * cell, places, mixed), Crystal(4.0 * cell, places, np.array([56, 22, 8, 8, 8]))
    steps = steps_along(mp, move(mp, *ends, 3), elements=elements_of(*ends))
    for step, end in zip((steps[0], steps[-1]), ends, strict=True):
        back = step.decoded.crystal
        np.testing.assert_allclose(back.content, end.content, atol=0.01)
        assert step.confidence > 0.9
        assert step.shortest == pytest.approx(end.lattice[0, 0] / 2, abs=0.005)


def test_an_energy_or_why_there_is_none(mp, path, monkeypatch):
    def stands_in(crystal, name):
        assert name == "sevennet-0"
        return {"failure": "no potassium today"} if 19 in crystal.numbers else {"energy": -crystal.volume}

    monkeypatch.setattr(along_path, "single_point", stands_in)
    monkeypatch.setattr(along_path, "check_potential", lambda _: None)
    first, *_, last = steps_along(mp, path, potential="sevennet-0")
    assert first.energy == pytest.approx(-(5.64**3) / 4)
    assert (last.energy, last.why_no_energy) == (None, "no potassium today")


def test_an_unknown_potential_is_refused_first(mp, path):
    with pytest.raises(ValueError, match="sevennet-0"):
        steps_along(mp, path, potential="sevennet")


def test_atoms_on_each_other_and_nothing_are_not_valid(mp, path):
    (decoded,) = mp.decode_crystals(path[:1])
    close = Crystal(ROCK_SALT.lattice, np.array([[0, 0, 0], [0.5, 0.5, 0.58]]), np.array([11, 17]))
    assert Step("x", 0.5, replace(decoded, crystal=close)).valid
    close = replace(close, frac_coords=np.array([[0, 0, 0], [0.08, 0, 0]]))
    assert not Step("x", 0.5, replace(decoded, crystal=close)).valid
    nothing = Step("x", 0.5, None)
    assert (nothing.valid, nothing.shortest, nothing.confidence, nothing.space_group) == (False, None, 0.0, "")
