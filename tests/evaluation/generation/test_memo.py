"""What was computed is kept, and computed once."""

import ase.db
import numpy as np
import pytest
from ase.build import bulk

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation.memo import Memo, crystal_hash, remembered, with_versions
from xtalcodec.parallel import open_pool

DONE: list[int] = []


def halved(x):
    DONE.append(x)
    if x == 99:
        raise RuntimeError("killed")
    return {"half": x / 2}


def test_a_run_that_was_killed_goes_on(tmp_path):
    DONE.clear()
    tasks = {str(x): (x,) for x in (1, 2, 99, 4)}
    with open_pool() as pool:
        with Memo(tmp_path / "m.sqlite") as memo, pytest.raises(RuntimeError, match="killed"):
            remembered(memo, "half", halved, tasks, pool, chunk=1)
        tasks["99"] = (100,)
        with Memo(tmp_path / "m.sqlite") as memo:
            DONE.clear()
            told: list[int] = []
            found = remembered(memo, "half", halved, tasks, pool, told.append, chunk=1)
            assert set(DONE) <= {100, 4}, "1 and 2 were kept"
            assert 100 in DONE
            assert sum(told) == 4
            assert found == {"1": {"half": 0.5}, "2": {"half": 1.0}, "99": {"half": 50.0}, "4": {"half": 2.0}}
            DONE.clear()
            assert remembered(memo, "half", halved, tasks, pool) == found
            assert not DONE
            remembered(memo, "another half", halved, tasks, pool)
            assert len(DONE) == 4, "of another name, all is computed anew"


def test_many_keys_are_asked_for_at_once():
    memo = Memo()
    memo.keep("x", {str(k): k for k in range(1203)})
    assert memo.known("x", [str(k) for k in range(2000)]) == {str(k): k for k in range(1203)}
    assert memo.known("y", ["1"]) == {}


def test_a_file_of_other_things_is_refused(tmp_path):
    (tmp_path / "x").write_text("not a database, and long enough to be looked at " * 20)
    with pytest.raises(ValueError, match="no file of kept results"):
        Memo(tmp_path / "x")
    with pytest.raises(OSError, match="results cannot be kept there"):
        Memo(tmp_path)


def test_a_database_of_other_things_is_refused_and_stays_as_it_was(tmp_path):
    path = tmp_path / "ase.db"
    ase.db.connect(path).write(bulk("Cu"))
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"ase\.db: it is no file of kept results: it has a table information"):
        Memo(path)
    assert path.read_bytes() == before


def test_a_file_that_was_damaged_is_named(tmp_path):
    path, values = tmp_path / "m.sqlite", {str(k): "v" * 500 for k in range(500)}
    with Memo(path) as memo:
        memo.keep("x", values)
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + bytes(len(whole) - 8192))
    with Memo(path) as memo:
        with pytest.raises(OSError, match=r"m\.sqlite: kept results cannot be read"):
            memo.known("x", [*values])
        with pytest.raises(OSError, match=r"m\.sqlite: a result cannot be kept"):
            memo.keep("x", values)


def test_a_crystal_is_known_by_what_was_given():
    lattice, x, z = 4 * np.eye(3), np.array([[0.1, 0.2, 0.3]]), np.array([6])
    one = Crystal(lattice, x, z, "a")
    assert crystal_hash(one) == crystal_hash(Crystal(lattice, x, z, "b"))
    for other in (Crystal(lattice, x + 1e-9, z), Crystal(lattice * 1.0001, x, z), Crystal(lattice, x, z + 1)):
        assert crystal_hash(one) != crystal_hash(other)
    assert crystal_hash(Crystal(lattice, x * 0, z)) == crystal_hash(Crystal(lattice, x * 0 - 2, z))


def test_versions_are_part_of_the_name():
    assert with_versions("x", "numpy") == f"x numpy={np.__version__}"
