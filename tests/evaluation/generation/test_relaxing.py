"""Relaxed crystals by a potential that can be worked out by hand; `test_proposals` relaxes by SevenNet."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation import Memo, relaxing
from xtalcodec.evaluation.generation.relaxing import relaxed_each
from xtalcodec.geometry.symmetry import space_group
from xtalcodec.parallel import open_pool

SALT = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64, cubic=True), "salt")
PUSHED = replace(SALT, frac_coords=SALT.frac_coords + np.array([[0.01, 0, 0]] + [[0, 0, 0]] * 7))
"""One sodium 0.06 Å off."""


@contextmanager
def silent(_what, _total):
    yield lambda _: None


def settled(crystals, symprec=None, steps=20):
    with Memo() as memo, open_pool() as pool:
        return relaxed_each(crystals, "sevennet-0", memo, pool, silent, steps, symprec)


@pytest.mark.parametrize(("deep", "kept"), [(-0.1, False), (0.1, True), (-0.9e-3, True)])
def test_symmetry_is_kept_where_the_energy_does_not_rise(monkeypatch, deep, kept):
    """A potential whose energy is 0 for perfect rock salt and `deep` for what is off it."""

    def weighed(crystal, _name):
        return {"energy": 0.0 if space_group(crystal, 1e-3) == "Fm-3m" else deep}

    def left(crystal, name, _steps):
        told = weighed(crystal, name)
        told |= {"before": told["energy"] + 1, "converged": True}
        told["lattice"], told["numbers"] = crystal.lattice.ravel().tolist(), crystal.numbers.tolist()
        return told | {"frac_coords": crystal.frac_coords.ravel().tolist()}

    monkeypatch.setattr(relaxing, "relaxation", left)
    monkeypatch.setattr(relaxing, "single_point", weighed)
    end = settled({"salt": PUSHED}, symprec=0.1)["salt"]
    assert end.symmetrised is kept
    assert end.before == deep + 1
    assert end.energy == (0.0 if kept else deep)
    assert (space_group(end.crystal, 1e-3) == "Fm-3m") is kept
    assert settled({"salt": PUSHED})["salt"].symmetrised is None
