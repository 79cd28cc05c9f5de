"""A set judged as a whole, against counts by hand."""

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation import Hull, Memo, Verdict, description, judge, relaxing, valid_unique_novel
from xtalcodec.evaluation.generation.staging import Stage
from xtalcodec.io.read import Unusable

pytest.importorskip("smact")
pytest.importorskip("matminer")


def salt(a, b, edge, name=None):
    cell = Structure(Lattice.from_parameters(*[edge / 2**0.5] * 3, 60, 60, 60), [a, b], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return Crystal.from_pymatgen(cell, name or a + b)


def tight():
    return Crystal(4 * np.eye(3), np.array([[0, 0, 0], [0.1, 0, 0]]), np.array([12, 8]), "tight")


SAMPLES = [
    salt("Na", "Cl", 5.64),
    salt("Na", "Cl", 5.64, "again"),
    salt("Na", "Cl", 5.9, "larger"),
    salt("K", "Cl", 6.3),
    salt("Ba", "F", 5.5),  # barium is 2+ and fluorine 1-
    tight(),
    Unusable("torn.cif", "it ends too early"),
    salt("Li", "F", 4.02),
]
REFERENCE = [salt("Na", "Cl", 5.6), salt("Mg", "O", 4.2), salt("Ca", "O", 4.8), salt("K", "Br", 6.6)]
TRAIN = [salt("K", "Cl", 6.25, "known"), salt("Mg", "S", 5.2), salt("Rb", "I", 7.3)]
HELD_OUT = [salt("Li", "Cl", 5.1), salt("Sr", "O", 5.1)]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("memo") / "m.sqlite"


@pytest.fixture(scope="module")
def verdicts(kept):
    with Memo(kept) as memo:
        return judge(SAMPLES, REFERENCE, train=TRAIN, held_out=HELD_OUT, seed=1, memo=memo)


def test_every_sample_has_a_row_and_stays_in_every_rate(verdicts):
    rows = {row.name: row for row in verdicts.samples.rows}
    assert list(rows) == [s.name for s in SAMPLES]
    assert [row.valid for row in rows.values()] == [True, True, True, True, False, False, False, True]
    assert [row.unique for row in rows.values()] == [True, False, False, True, True, None, None, True]
    assert [row.novel for row in rows.values()] == [True, True, True, False, True, None, None, True]
    assert rows["again"].same_as == rows["larger"].same_as == "NaCl"
    assert rows["KCl"].in_training == "known"
    assert rows["tight"].reason == "two atoms are nearer than 0.5 Å"
    assert rows["torn.cif"].reason == "it ends too early"
    assert rows["BaF"].reason == "no oxidation states balance"
    told = verdicts.samples.summary
    expected = {"n": 8, "readable": 7, "structure_valid_rate": 6 / 8, "composition_valid_rate": 6 / 8}
    expected |= {"valid_rate": 5 / 8, "unique_rate": 4 / 8, "novel_rate": 5 / 8, "vun_rate": 2 / 8, "p1_rate": 0}
    assert expected.items() <= told.items()
    assert told["crystal_systems"]["cubic"] == 6 / 7
    assert told["sun_rate"] is None


def test_distances_are_those_of_the_valid_samples(verdicts):
    from scipy.stats import wasserstein_distance

    valid = [s.to_pymatgen().density for s in (*SAMPLES[:4], SAMPLES[7])]
    real = [c.to_pymatgen().density for c in REFERENCE]
    told = verdicts.samples.summary
    assert told["density_distance"] == pytest.approx(wasserstein_distance(valid, real))
    assert told["elements_distance"] == 0
    assert verdicts.samples.rows[0].covered
    assert 0 < told["cov_recall"] <= 1


def test_the_controls_are_judged_in_the_same_run(verdicts):
    assert [row.name for row in verdicts.held_out.rows] == ["LiCl", "SrO"]
    assert verdicts.held_out.summary["vun_rate"] == 1
    assert len(verdicts.substituted.rows) == len(SAMPLES)
    assert all("~" in row.name for row in verdicts.substituted.rows)
    assert verdicts.settings["reference"] == 4


def test_rows_are_written_for_all_sets(verdicts, tmp_path):
    import pyarrow.parquet as pq

    assert verdicts.write_rows(tmp_path / "r.parquet") == 8 + 2 + 8
    rows = pq.read_table(tmp_path / "r.parquet").to_pylist()
    assert [row["set"] for row in rows] == ["samples"] * 8 + ["held_out"] * 2 + ["substituted"] * 8
    assert rows[0]["formula"] == "NaCl"
    assert rows[0]["vun"]
    assert rows[6]["formula"] is None


def test_kept_results_are_used(verdicts, kept, monkeypatch):
    def never(*_):
        raise AssertionError("it was computed already")

    monkeypatch.setattr("xtalcodec.evaluation.generation.memo._apply", never)
    with Memo(kept) as memo:
        again = judge(SAMPLES, REFERENCE, train=TRAIN, held_out=HELD_OUT, seed=1, memo=memo)
        assert again.summary() == verdicts.summary()
        quick = valid_unique_novel(SAMPLES, TRAIN, memo)
    assert [row.vun for row in quick] == [row.vun for row in verdicts.samples.rows]


def test_a_reference_alone_is_halved_for_the_control(kept):
    with Memo(kept) as memo:
        found = judge(SAMPLES[:2], [*REFERENCE, *HELD_OUT], seed=0, memo=memo)
    assert found.settings["reference"] == 3
    assert len(found.held_out.rows) == 2
    assert found.samples.summary["novel_rate"] is None
    assert found.samples.summary["vun_rate"] is None


def test_samples_of_which_none_has_atoms_apart_are_as_little_novel_as_valid(kept):
    with Memo(kept) as memo:
        found = judge([tight(), SAMPLES[-2]], REFERENCE, train=TRAIN, held_out=HELD_OUT, memo=memo).samples.summary
    assert [found[name] for name in ("valid_rate", "unique_rate", "novel_rate", "vun_rate")] == [0.0] * 4


def test_whether_a_row_is_new_is_not_said_where_it_was_not_looked_at():
    one = Verdict("a", SAMPLES[0], valid=True, unique=True)
    found = [one, replace(one, novel=True), replace(one, novel=False), Verdict("torn", None)]
    assert [row.row()["vun"] for row in found] == [None, True, False, False]


def test_a_sample_without_a_fingerprint_has_no_distances(monkeypatch):
    found = description.structure_fingerprint
    monkeypatch.setattr(description, "structure_fingerprint", lambda one: None if one.name == "bare" else found(one))
    (row,) = judge([replace(SAMPLES[0], name="bare")], REFERENCE, held_out=HELD_OUT).samples.rows
    assert (row.structure_distance, row.composition_distance, row.covered) == (None, None, False)
    assert row.reason == "CrystalNN finds no neighbours"


def test_stability_goes_in_stages(kept, monkeypatch):
    """NaCl is stable, LiF metastable; made-up energies, and a fast potential that stops what is far."""
    energies = {
        ("fast", "NaCl"): -3.0,
        ("final", "NaCl"): -3.1,
        ("fast", "LiF"): -2.9,
        ("final", "LiF"): -2.95,
        ("fast", "LiCl"): -2.0,
        ("fast", "BaO"): -2.5,
    }
    asked = []

    def made_up(crystal, name, steps):
        asked.append((name, crystal.formula, steps))
        if (name, crystal.formula) not in energies:
            return {"failure": "it flies apart"}
        cell = {"lattice": crystal.lattice.ravel(), "numbers": crystal.numbers}
        cell["frac_coords"] = (crystal.frac_coords + np.array([[0, 0, 0], [0.1, 0, 0]])).ravel()
        values = {key: value.tolist() for key, value in cell.items()}
        return {"energy": energies[name, crystal.formula], "before": 0.0, "converged": True} | values

    monkeypatch.setattr(relaxing, "check_potential", lambda _: None)
    monkeypatch.setattr(relaxing, "relaxation", made_up)
    monkeypatch.setattr(relaxing, "what_relaxes", lambda name, steps: f"{name} {steps}")
    pure = [(e, 0.0) for e in ("Na", "Cl", "Li", "F", "Sr", "O", "Mg", "S", "K", "Rb", "I")]
    known = [("NaCl", -3.0), ("LiF", -3.0), ("LiCl", -3.0)]
    stages = [Stage(Hull.of("fast", pure + known), 5), Stage(Hull.of("final", pure + known), 7)]
    with Memo(kept) as memo:
        options = {"train": TRAIN, "held_out": HELD_OUT, "seed": 1, "memo": memo}
        found = judge([*SAMPLES, salt("Ba", "O", 5.5)], REFERENCE, stages=stages, **options)
    rows = {row.name: row for row in found.samples.rows}
    assert (rows["NaCl"].stable, rows["NaCl"].metastable, rows["NaCl"].stage) == (True, True, "final")
    assert rows["NaCl"].above_hull == pytest.approx(-0.1)
    assert (rows["LiF"].stable, rows["LiF"].metastable) == (False, True)
    moved = np.linalg.norm(0.05 * SAMPLES[0].lattice[0])
    assert rows["NaCl"].displacement == pytest.approx(2 * moved)  # from fast and final, each half of it about the mean
    assert (rows["KCl"].stable, rows["KCl"].stage) == (False, ""), "not novel"
    assert rows["torn.cif"].stable is False
    oxide = rows["BaO"]
    assert (oxide.stage, oxide.energy, oxide.relaxed, oxide.above_hull) == ("fast", -2.5, True, None)
    assert oxide.reason == "fast: the hull has no crystal of pure Ba"
    held = {row.name: row for row in found.held_out.rows}
    assert (held["LiCl"].stage, held["LiCl"].stable) == ("fast", False), "1 eV/atom above the hull"
    assert "fast: it flies apart" in held["SrO"].reason
    told = found.samples.summary
    assert (told["sun_rate"], told["metastable_sun_rate"], told["relaxed"]) == (1 / 9, 2 / 9, 3)
    assert ("fast", "NaCl", 5) in asked
    assert ("final", "NaCl", 7) in asked
    assert not {("final", "LiCl", 7), ("final", "SrO", 7)} & set(asked)


def test_a_disordered_sample_is_a_failure_and_a_disordered_reference_an_error():
    shares = np.zeros((2, 119))
    shares[0, [11, 19]], shares[1, 17] = (0.6, 0.4), 1
    shared = replace(SAMPLES[0], occupancies=shares, name="shared")
    (row,) = valid_unique_novel([shared], TRAIN)
    assert (row.valid, row.crystal, row.reason) == (False, None, "it has shared or partly empty sites")
    with pytest.raises(ValueError, match="shared: crystals to compare with"):
        judge(SAMPLES, [*REFERENCE, shared])


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(ValueError, match="no sample"):
        judge([], REFERENCE)
    with pytest.raises(ValueError, match="no reference crystal"):
        judge(SAMPLES, [])
    with pytest.raises(ValueError, match="no held-out crystal"):
        judge(SAMPLES, REFERENCE, held_out=[])
    with pytest.raises(ValueError, match="no protocol 'mp'"):
        judge(SAMPLES, REFERENCE, protocol="mp")
    with pytest.raises(ValueError, match="training crystals"):
        judge(SAMPLES, REFERENCE, stages=[Stage(Hull.of("p", []), 1)])
