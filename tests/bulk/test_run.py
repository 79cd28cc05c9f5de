"""The machinery of a run, in this process, with work that only counts."""

from collections import Counter
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xtalcodec.bulk.run import BulkError, Done, run
from xtalcodec.datasets.stores import StoreError
from xtalcodec.io.alone import OccupiedError, alone
from xtalcodec.io.read import Unusable
from xtalcodec.parallel import HERE, InProcess, Pool

made = Counter()
"""How often each number was worked on."""


@dataclass(frozen=True)
class Numbers:
    """A part that is given."""

    values: tuple

    @property
    def units(self):
        return len(self.values)

    @property
    def origin(self):
        return ()

    def read(self):
        return iter(self.values)


@dataclass(frozen=True)
class Square:
    """Squares; odd numbers are unusable, and one of them fills the disk."""

    full: int | None = None
    power: int = 2

    def settings(self):
        return {"verb": "square", "power": self.power}

    def __call__(self, items):
        items = list(items)
        made.update(items)
        if self.full in items:
            raise OSError(28, "No space left on device", "x")
        even = [x for x in items if x % 2 == 0]
        odd = [Unusable(str(x), "odd") for x in items if x % 2]
        table = pa.table({"x": even, "square": [x**self.power for x in even]})
        return Done(table.cast(pa.schema([("x", pa.int64()), ("square", pa.int64())])), odd, [], {"odd": len(odd)})


def chunks(stop=20, size=3):
    return lambda: ((Numbers(tuple(range(k, min(k + size, stop)))),) for k in range(0, stop, size))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


class Backwards(Pool):
    """The last task ends first, as it may with many workers."""

    def run(self, function, tasks):
        return iter([function(task) for task in tasks][::-1])


def test_rows_and_misfits_come_in_order_and_join_to_one_file(tmp_path):
    done = []
    shards = run(tmp_path / "out", chunks(), Square(), {"files": "a"}, HERE, done.append)
    assert (shards.count, sum(done)) == (7, 20)
    assert [row["x"] for row in shards.records()] == list(range(0, 20, 2))
    assert [item.name for item in shards.unusable()] == [str(x) for x in range(1, 20, 2)]
    assert shards.totals == {"rows": 10, "odd": 10}
    shards.join(tmp_path / "one.parquet")
    joined = pq.read_table(tmp_path / "one.parquet")
    assert joined["square"].to_pylist() == [x**2 for x in range(0, 20, 2)]
    assert b"xtalcodec.run" not in (joined.schema.metadata or {})


def test_the_order_in_which_tasks_end_does_not_matter(tmp_path):
    run(tmp_path / "a", chunks(), Square(), {}, HERE)
    run(tmp_path / "b", chunks(), Square(), {}, Backwards(InProcess(), 4))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_run_that_stopped_goes_on_and_repeats_nothing(tmp_path):
    run(tmp_path / "a", chunks(), Square(), {}, HERE)
    made.clear()
    with pytest.raises(BulkError, match=r"No space left.*2 shards in .*b are whole, and the same command goes on"):
        run(tmp_path / "b", chunks(), Square(full=8), {}, HERE)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "b").glob("*.parquet")}
    assert len(times) == 2
    run(tmp_path / "b", chunks(), Square(), {}, HERE)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert {x for x, n in made.items() if n > 1} == {6, 7, 8}
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    made.clear()
    done = []
    run(tmp_path / "b", chunks(), Square(), {}, HERE, done.append)
    assert not made
    assert sum(done) == 20, "progress is told of a run that has ended, too"


@dataclass(frozen=True)
class Broken(Numbers):
    """A part that cannot be read."""

    def read(self):
        raise ValueError("broken")


def test_input_that_is_wrong_leaves_no_run_behind_but_what_is_whole(tmp_path):
    parts = [(Broken((0,)),)]
    with pytest.raises(ValueError, match="broken"):
        run(tmp_path / "out", lambda: parts, Square(), {}, HERE)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="broken"):
        run(tmp_path / "out", lambda: [(Numbers((2,)),), *parts], Square(), {}, HERE)
    assert {".run.json", "part-000000.parquet"} <= {path.name for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize("how", ["gone", "cut", "of another run"])
def test_a_shard_that_is_not_whole_is_made_again(tmp_path, how):
    folder = tmp_path / "a"
    run(folder, chunks(), Square(), {}, HERE)
    before = contents(folder)
    shard = folder / "part-000003.parquet"
    if how == "gone":
        shard.unlink()
    elif how == "cut":
        shard.write_bytes(shard.read_bytes()[:50])
    else:
        run(tmp_path / "b", chunks(), Square(power=3), {}, HERE)
        (tmp_path / "b" / shard.name).replace(shard)
    made.clear()
    run(folder, chunks(), Square(), {}, HERE)
    assert set(made) == {9, 10, 11}
    assert contents(folder) == before


def test_what_a_killed_run_was_writing_is_swept_away(tmp_path):
    run(tmp_path / "a", chunks(), Square(), {}, HERE)
    before = contents(tmp_path / "a")
    (tmp_path / "a" / ".part-000003.parquet.0a1b2c3d.parquet").write_bytes(b"PAR1")
    run(tmp_path / "a", chunks(), Square(), {}, HERE)
    assert contents(tmp_path / "a") == before


def test_another_run_into_the_same_folder_is_refused_and_says_why(tmp_path):
    run(tmp_path / "a", chunks(), Square(), {"files": {"x.cif": "1"}}, HERE)
    before = contents(tmp_path / "a")
    with pytest.raises(StoreError, match="power is 2 there and 3 here"):
        run(tmp_path / "a", chunks(), Square(power=3), {"files": {"x.cif": "1"}}, HERE)
    with pytest.raises(StoreError, match=r"inputs.files.x.cif is 1 there and 2 here"):
        run(tmp_path / "a", chunks(), Square(), {"files": {"x.cif": "2"}}, HERE)
    assert contents(tmp_path / "a") == before


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(StoreError, match="is not empty and holds no run"):
        run(tmp_path, chunks(), Square(), {}, HERE)
    assert contents(tmp_path) == {"mine.txt": b"mine"}
    (tmp_path / ".run.json").write_text("{}")
    with pytest.raises(StoreError, match="cannot be read as the record of a run"):
        run(tmp_path, chunks(), Square(), {}, HERE)


def test_two_runs_do_not_write_one_folder(tmp_path):
    with alone(tmp_path, tmp_path / ".lock"), pytest.raises(OccupiedError, match="another run is writing"):
        run(tmp_path, chunks(), Square(), {}, HERE)


def test_nothing_in_gives_no_shard(tmp_path):
    shards = run(tmp_path, chunks(0), Square(), {}, HERE)
    assert (shards.count, list(shards), shards.totals) == (0, [], {"rows": 0})
