"""Distances to a hull: by hand, and by linear programming."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.optimize import linprog

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation import hull as hulls
from xtalcodec.evaluation.generation.hull import Hull, HullError, hull_energies
from xtalcodec.evaluation.generation.memo import Memo
from xtalcodec.evaluation.generation.pure_elements import pure
from xtalcodec.evaluation.generation.staging import stages
from xtalcodec.io.read import Unusable
from xtalcodec.parallel import open_pool

NA, CL, OXYGEN = 11, 17, 8
SALT = [("Na", -1.0), ("Cl", -2.0), ("NaCl", -3.5), ("Na", -0.5)]


def test_a_hull_of_two_elements_by_hand():
    hull = Hull.of("p", SALT)
    assert hull.above(np.array([NA, CL]), -3.5) == pytest.approx(0)
    assert hull.above(np.array([NA, CL]), -3.6) == pytest.approx(-0.1)
    # Na3Cl is half Na, half NaCl by atoms: (-1 - 3.5) / 2
    assert hull.above(np.array([NA, NA, NA, CL]), -2.0) == pytest.approx(0.25)
    assert hull.above(np.array([NA]), -0.5) == pytest.approx(0.5), "the lowest sodium counts"
    with pytest.raises(HullError, match="no crystal of pure O"):
        hull.above(np.array([NA, OXYGEN]), -1.0)


def test_a_hull_of_three_elements_is_a_linear_programme():
    rng = np.random.default_rng(0)
    formulas = ["Li", "Ti", "O", "Li2O", "TiO2", "Ti2O3", "LiTiO2", "Li2TiO3", "LiTi", "Li4Ti5O12"]
    counts = np.array(
        [[1, 0, 0], [0, 1, 0], [0, 0, 1], [2, 0, 1], [0, 1, 2], [0, 2, 3], [1, 1, 2], [2, 1, 3], [1, 1, 0]]
    )
    counts = np.vstack([counts, [4, 5, 12]])
    for _ in range(10):
        energies = np.concatenate([rng.uniform(-1, 0, 3), rng.uniform(-4, 0, len(formulas) - 3)])
        hull = Hull.of("p", zip(formulas, energies.tolist(), strict=True))
        wanted = rng.integers(1, 4, 3)
        shares = counts / counts.sum(1, keepdims=True)
        best = linprog(energies, A_eq=shares.T, b_eq=wanted / wanted.sum()).fun
        assert hull.above(np.repeat([3, 22, 8], wanted), -2.0) == pytest.approx(-2.0 - best, abs=1e-8)


def test_tables_that_are_none_are_told(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="no column composition, energy_per_atom, potential"):
        Hull.read(tmp_path / "a.parquet", "sevennet-0")
    (tmp_path / "b.parquet").write_text("nothing of the kind")
    with pytest.raises(ValueError, match="no table of a hull"):
        Hull.read(tmp_path / "b.parquet", "sevennet-0")
    pq.write_table(
        pa.table({"composition": [""][:0], "energy_per_atom": [0.0][:0], "potential": [""][:0]}), tmp_path / "d.parquet"
    )
    with pytest.raises(ValueError, match="it has no energies; `xtalcodec hull`"):
        Hull.up_to(tmp_path / "d.parquet")
    with pytest.raises(OSError, match=r"c\.parquet: there is no such table of a hull"):
        Hull.read(tmp_path / "c.parquet", "sevennet-0")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("Cl", None, "sevennet-0"), "energy_per_atom None"),
        (("Cl", float("nan"), "sevennet-0"), "energy_per_atom nan"),
        ((None, -1.0, "sevennet-0"), "composition None"),
        (("Cl", -1.0, None), "potential None"),
    ],
)
def test_a_row_that_lacks_something_is_named(tmp_path, row, told):
    columns = zip(("Na", 0.0, "sevennet-0"), row, strict=True)
    table = dict(zip(("composition", "energy_per_atom", "potential"), map(list, columns), strict=True))
    pq.write_table(pa.table(table), tmp_path / "h.parquet")
    with pytest.raises(ValueError, match=rf"h\.parquet: row 2 .*{told}"):
        Hull.read(tmp_path / "h.parquet", "sevennet-0")


@pytest.mark.parametrize("row", [("Na", "-1.0", "sevennet-0"), (11, -1.0, "sevennet-0"), ("Na", -1.0, 1)])
def test_a_column_of_another_type_is_named(tmp_path, row):
    names = ("composition", "energy_per_atom", "potential")
    pq.write_table(pa.table({name: [value] for name, value in zip(names, row, strict=True)}), tmp_path / "h.parquet")
    with pytest.raises(ValueError, match=r"h\.parquet: row 1 is no energy of a composition by a potential"):
        Hull.up_to(tmp_path / "h.parquet")


def test_a_table_has_a_hull_of_every_potential_the_fastest_first(tmp_path):
    rows = [("NaCl", -3.4, "sevennet-l3i5"), ("NaCl", -3.5, "sevennet-0"), ("Na", -1.0, "own")]
    names = ("composition", "energy_per_atom", "potential")
    pq.write_table(pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), tmp_path / "h.parquet")
    for last, names in ((None, ["sevennet-0", "sevennet-l3i5", "own"]), ("sevennet-0", ["sevennet-0"])):
        found = Hull.up_to(tmp_path / "h.parquet", last)
        assert [hull.potential for hull in found] == names
        assert found[0].entries == {frozenset({"Na", "Cl"}): {"NaCl": -3.5}}
    assert Hull.read(tmp_path / "h.parquet", "sevennet-l3i5").entries == {frozenset({"Na", "Cl"}): {"NaCl": -3.4}}
    with pytest.raises(ValueError, match="no energies of other, but of sevennet-0, sevennet-l3i5, own"):
        Hull.read(tmp_path / "h.parquet", "other")


def test_the_last_potential_decides_and_takes_longer(monkeypatch):
    monkeypatch.setattr("xtalcodec.evaluation.generation.staging.check_potential", lambda _: None)
    one, other = Hull.of("fast", SALT), Hull.of("slow", SALT)
    assert [(stage.potential, stage.steps) for stage in stages([one, other])] == [("fast", 50), ("slow", 200)]
    assert [(stage.potential, stage.steps) for stage in stages([one])] == [("fast", 200)]


def test_the_hull_that_ships_knows_phases_of_sodium_and_chlorine():
    """Rock salt lies on the hull, far below its elements; NaCl₃ at the energy of rock salt and chlorine does too."""
    for hull in Hull.up_to("mp"):
        known = {form: hull.entries[frozenset(form)] for form in (("Na",), ("Cl",), ("Na", "Cl"))}
        sodium, chlorine, salt = known["Na",]["Na"], known["Cl",]["Cl2"], known["Na", "Cl"]["NaCl"]
        assert salt < (sodium + chlorine) / 2 - 1.5
        assert hull.above(np.array([NA, CL]), salt) == pytest.approx(0, abs=1e-6)
        mixed = (2 * salt + 2 * chlorine) / 4
        assert hull.above(np.array([NA, CL, CL, CL]), mixed) == pytest.approx(0, abs=0.05)


def test_elements_that_no_crystal_is_pure_of_are_relaxed_in_structures_of_others(tmp_path, monkeypatch):
    """Of the made-up ends one has overlapping atoms and the lowest energy, one has not come to rest: neither counts."""

    def made_up(crystal, _name, _steps):
        wide = 3 * np.cbrt(len(crystal)) * np.eye(3)
        kind = ("rest", "hole", "on the way")[[one.name for one in pure(CL)].index(crystal.name) % 3]
        lattice = wide / (5 if kind == "hole" else 1)
        end = {"lattice": lattice.ravel().tolist(), "frac_coords": crystal.frac_coords.ravel().tolist()}
        energy = {"rest": -1.0, "hole": -99.0, "on the way": -9.0}[kind]
        end |= {"numbers": crystal.numbers.tolist(), "before": 0.0}
        return end | {"energy": energy, "converged": kind != "on the way"}

    monkeypatch.setattr(hulls, "relaxation", made_up)
    monkeypatch.setattr(hulls, "single_point", lambda *_: {"energy": -3.0})
    monkeypatch.setattr(hulls, "check_potential", lambda _: None)
    for name in ("what_relaxes", "what_computes"):
        monkeypatch.setattr(hulls, name, lambda *words, name=name: f"{name} {words}")
    salt = Crystal(4 * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([NA, CL]), "salt")
    sodium = Crystal(4 * np.eye(3), np.zeros((1, 3)), np.array([NA]), "sodium")
    with open_pool() as pool, Memo(tmp_path / "m.sqlite") as memo:
        table = hull_energies(iter([salt, sodium]), ["fast"], memo, pool)
    energy, name = table.lowest["fast", "Cl2"]
    assert energy == -1.0
    assert name.startswith("Cl in A_")
    assert not table.failures
    assert table.crystals == 2


def test_the_lowest_energies_are_written_and_what_has_none_is_told(tmp_path, monkeypatch):
    asked = []

    def made_up(crystal, name):
        asked.append((crystal.name, name))
        if NA not in crystal.numbers:
            return {"failure": "unknown element"}
        return {"energy": -float(crystal.lattice[0, 0])}

    monkeypatch.setattr(hulls, "single_point", made_up)
    monkeypatch.setattr(hulls, "check_potential", lambda _: None)
    monkeypatch.setattr(hulls, "what_computes", lambda name: name)
    monkeypatch.setattr(hulls, "_TOGETHER", 2)
    cells = [
        Crystal(a * np.eye(3), np.zeros((1, 3)), np.array([z]), f"c{a}") for a, z in ((4, NA), (5, NA), (6, OXYGEN))
    ]
    stream = [cells[0], Unusable("x.cif", "broken"), cells[1], cells[2]]
    with open_pool() as pool, Memo(tmp_path / "m.sqlite") as memo:
        table = hull_energies(iter(stream), ["fast", "slow"], memo, pool)
        assert len(asked) == 6
        hull_energies(iter(stream), ["fast", "slow"], memo, pool)
        assert len(asked) == 6, "nothing is computed twice"
    assert table.crystals == 3
    assert [f.reason for f in table.failures] == ["broken", "unknown element", "unknown element"]
    assert table.write(tmp_path / "h.parquet") == 2
    rows = pq.read_table(tmp_path / "h.parquet").to_pylist()
    one = {"composition": "Na", "energy_per_atom": -5.0, "crystal": "c5"}
    assert rows == [one | {"potential": "fast"}, one | {"potential": "slow"}]
    assert Hull.read(tmp_path / "h.parquet", "slow").entries == {frozenset({"Na"}): {"Na": -5.0}}
    with pytest.raises(ValueError, match="no energies of third, but of fast, slow"):
        Hull.read(tmp_path / "h.parquet", "third")
