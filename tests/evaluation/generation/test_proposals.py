"""Samples as they come, ranked and in a table; compared with crystals and weighed by a potential."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from ase.build import bulk

from xtalcodec import datasets
from xtalcodec.codecs.decoding import DecodedCrystal
from xtalcodec.codecs.latents import CrystalCode
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation import Hull, Memo, assess
from xtalcodec.evaluation.generation.decoded import Generated
from xtalcodec.evaluation.generation.potentials import relax
from xtalcodec.evaluation.generation.proposals import Proposal, proposals, ranked, write_table
from xtalcodec.evaluation.generation.relaxing import Relaxed
from xtalcodec.evaluation.generation.weighing import compared, weighed
from xtalcodec.geometry.room import FAR
from xtalcodec.geometry.symmetry import symmetrised
from xtalcodec.io.write import write_many
from xtalcodec.parallel import open_pool
from xtalcodec.priors.conditions import Conditions
from xtalcodec.priors.gaussian import GaussianPrior

SALT = bulk("NaCl", "rocksalt", a=5.64)
NATIVE = 1e-3
"""eV/atom: relaxations of one crystal from cells 2 % apart end so near."""


def proposal(name, atoms=None, confidence=0.5, reason=""):
    """A sample that decoded to atoms."""
    crystal = None if atoms is None else Crystal.from_ase(atoms, name)
    code = CrystalCode(name, np.zeros((1, 2), np.float32), (1, 1, 1), 3 * np.eye(3), np.eye(3, dtype=np.int64))
    decoded = None if crystal is None else DecodedCrystal(crystal, np.full(len(crystal), confidence), confidence)
    reason = reason or ("" if crystal else "no atom was found")
    return Proposal(code, decoded, Generated(name, crystal, confidence if crystal else 0.0, FAR, "P1", reason), None)


@contextmanager
def silent(_what, _total):
    yield lambda _: None


@contextmanager
def bench():
    with Memo() as memo, open_pool() as pool:
        yield memo, pool, silent


def test_every_sample_is_judged_as_if_all_were_there(mp, monkeypatch):
    monkeypatch.setattr("xtalcodec.evaluation.generation.proposals.TOGETHER", 2)
    salts = [Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.6 + 0.02 * k), f"salt-{k}") for k in range(3)]
    prior = GaussianPrior.fit(mp, salts)
    drawn = proposals(mp, prior, 5, seed=1, temperature=0.3)
    every = [next(drawn)]
    every += drawn
    told = assess(mp, prior.sample(5, 1, 0.3), [one.decoded for one in every])
    assert [(one.name, one.about.same_as) for one in every] == [(row.name, row.same_as) for row in told]
    assert [row.same_as for row in told[1:]] == ["sample-1"] * 4, "salts all, also beyond the first two that are judged"
    assert {one.as_planned for one in every} == {None}


def test_valid_and_sure_samples_come_first_and_are_numbered():
    some = [
        proposal("none"),
        proposal("unsure", SALT, 0.2),
        proposal("flawed", SALT, 0.9, "too near"),
        proposal("sure", SALT, 0.8),
        proposal("as sure", SALT, 0.8),
    ]
    found = ranked(some, "confidence")
    assert [one.name for one in found] == ["sure", "as sure", "unsure", "flawed", "none"]
    assert [one.rank for one in found] == [1, 2, 3, 4, 5]


def test_the_table_has_a_row_for_every_sample_and_is_not_read_with_its_folder(tmp_path):
    some = [proposal("a", SALT), proposal("lost"), proposal("b", bulk("Cu"), 0.4, "too near")]
    write_many([one.decoded.crystal for one in some if one.decoded], tmp_path, "cif")
    assert write_table(some, tmp_path / "samples.parquet") == 3
    rows = pq.read_table(tmp_path / "samples.parquet").to_pylist()
    assert [(row["name"], row["formula"], row["sites"], row["valid"], row["reason"]) for row in rows] == [
        ("a", "NaCl", 2, True, ""),
        ("lost", None, 0, False, "no atom was found"),
        ("b", "Cu", 1, False, "too near"),
    ]
    assert [row["cif"] is None for row in rows] == [False, True, False]
    crystals, unusable = datasets.load([str(tmp_path / "samples.parquet")])
    assert [crystal.formula for crystal in crystals] == ["NaCl", "Cu"]
    assert [one.name.partition("#")[2] for one in unusable] == ["lost"]
    crystals, unusable = datasets.load([str(tmp_path)])
    assert [crystal.name for crystal in crystals] == ["a", "b"]
    assert not unusable
    for file in tmp_path.glob("*.cif"):
        file.unlink()
    assert len(datasets.load([str(tmp_path)])[0]) == 2, "alone it is read: nothing is lost"


def test_the_same_crystal_is_not_novel_and_another_has_the_nearest_of_its_formula():
    known = {
        "rock salt": bulk("NaCl", "rocksalt", a=5.7),
        "zincblende": bulk("NaCl", "zincblende", a=6.0),
        "caesium": bulk("CsCl", "cesiumchloride", a=4.1),
    }
    reference = [Crystal.from_ase(atoms, name) for name, atoms in known.items()]
    some = [
        proposal("same", SALT * (2, 1, 1)),
        proposal("other", bulk("CsCl", "rocksalt", a=6.9)),
        proposal("near", bulk("NaCl", "wurtzite", a=4.2)),
        proposal("alone", bulk("LiF", "rocksalt", a=4.0)),
        proposal("flawed", SALT, reason="too near"),
        proposal("lost"),
    ]
    with bench() as where:
        found = compared(some, reference, *where)
    assert [(one.novel, one.nearest) for one in found] == [
        (False, "rock salt"),
        (True, "caesium"),
        (True, "zincblende"),  # four neighbours each, as wurtzite; rock salt has six
        (True, None),
        (None, None),
        (None, None),
    ]


def test_copper_is_stable_on_its_own_lattice():
    """Face-centred copper is the ground state; simple cubic copper lies about 0.5 eV/atom above (Materials Project)."""
    native = Crystal.from_ase(bulk("Cu", "fcc", a=3.62))
    hull = Hull.of("sevennet-0", [("Cu", relax(native, "sevennet-0", 50).energy)])
    some = [
        proposal("lost"),
        proposal("simple", bulk("Cu", "sc", a=2.4), 0.9),
        proposal("strange", bulk("Li", "bcc", a=3.5), 0.9),
        proposal("native", bulk("Cu", "fcc", a=3.69), 0.1),
    ]
    with bench() as where:
        found = ranked(weighed(some, "sevennet-0", hull, *where), "stability")
        alone = ranked(weighed(some[:2] + some[3:], "sevennet-0", None, *where), "stability")
    assert [one.name for one in found] == ["native", "simple", "strange", "lost"]
    assert found[0].above_hull == pytest.approx(0, abs=NATIVE)
    assert 0.2 < found[1].above_hull < 0.8
    assert found[0].energy_before > found[0].energy, "3.69 Å is too wide"
    assert [one.about for one in found[:2]] == [some[3].about, some[1].about], "ranking alone changes no sample"
    assert found[2].above_hull is None
    assert "Li" in found[2].why_unranked
    assert (found[3].energy, found[3].why_unranked) == (None, None)
    assert [one.name for one in alone] == ["native", "simple", "lost"]
    assert alone[0].above_hull is None
    assert alone[1].energy - alone[0].energy == pytest.approx(found[1].above_hull, abs=NATIVE)


def test_what_relaxed_is_as_asked_by_its_own_symmetry_and_the_atoms_of_the_cell_that_decoded(monkeypatch):
    """A strained salt relaxes to rock salt, whose conventional cell holds eight sites in place of two."""
    strained = SALT.copy()
    strained.set_cell(SALT.cell @ np.diag([1.0, 1.0, 1.2]), scale_atoms=True)
    asked = Conditions(sites=(2, 2), space_group=225)
    sample = replace(proposal("salt", strained), asked=asked)
    end = symmetrised(Crystal.from_ase(SALT), 0.1)
    module = "xtalcodec.evaluation.generation.weighing."
    monkeypatch.setattr(module + "check_potential", lambda _: None)
    monkeypatch.setattr(module + "relaxed_each", lambda given, *_: dict.fromkeys(given, Relaxed(end, -3.4, -3.5, True)))
    with bench() as where:
        (found,) = weighed([sample], "sevennet-0", None, *where, keep=True, symprec=0.1)
    assert len(found.about.crystal) == 8
    assert (sample.row()["as_asked"], found.row()["as_asked"]) == (False, True)
    assert proposal("salt", SALT).as_asked is None
    assert replace(sample, asked=Conditions(properties={"band_gap": 2.0})).as_asked is None, "it is not measured"
