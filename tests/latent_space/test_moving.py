"""Paths of moved atoms decode to crystals at every step."""

import pytest
from pymatgen.core import Lattice, Structure

from xtalcodec import Codec
from xtalcodec.codecs.latents import LatentsError
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.evaluation.along_path import steps_along
from xtalcodec.latent_space.interpolate import elements_of
from xtalcodec.latent_space.moving import move

HALF = [0.5, 0.5, 0.5]
SURE = 0.5
NACL, CSCL = (
    Crystal.from_pymatgen(Structure.from_spacegroup(group, Lattice.cubic(a), [metal, "Cl"], [[0, 0, 0], HALF]), name)
    for group, a, metal, name in (("Fm-3m", 5.64, "Na", "NaCl"), ("Pm-3m", 4.12, "Cs", "CsCl"))
)


def test_every_step_from_rock_salt_to_caesium_chloride_is_a_crystal(mp):
    told = []
    path = move(mp, NACL, CSCL, 5, refine=False, progress=told.append)
    steps = steps_along(mp, path, elements=elements_of(NACL, CSCL))
    assert sum(told) == 5
    assert [step.name for step in steps] == [f"NaCl-CsCl-{k}" for k in range(1, 6)]
    assert [step.decoded.crystal.formula for step in steps] == ["NaCl"] * 3 + ["CsCl"] * 2
    assert all(step.valid and step.confidence >= SURE for step in steps)
    assert [steps[k].space_group for k in (0, 4)] == ["Fm-3m", "Pm-3m"]


def test_what_cannot_be_walked_is_told(mp):
    with pytest.raises(LatentsError, match="at least two steps, its ends, not 1"):
        move(mp, NACL, CSCL, 1)
    with pytest.raises(CrystalError, match="no common cell of up to 1 sites"):
        move(mp, NACL, CSCL, 3, max_sites=1)
    with pytest.raises(LatentsError, match="'linear-unit-cell' is one of windows"):
        move(Codec.from_pretrained("linear-unit-cell"), NACL, CSCL, 3)
