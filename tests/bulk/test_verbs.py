"""Work with crystals and codes: the same rows as in one go, whatever the number of workers."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from xtalcodec import LatentSet
from xtalcodec.bulk.coding import CodecName, Decode, Encode
from xtalcodec.bulk.embedding import Embed
from xtalcodec.bulk.reconstruction import measured, rows_of, table_of
from xtalcodec.bulk.run import Done, run
from xtalcodec.cli import app
from xtalcodec.cli.report import Listed, write_json
from xtalcodec.codecs.latents import codes_in
from xtalcodec.codecs.registry import open_codec
from xtalcodec.datasets.inputs import Given
from xtalcodec.evaluation.reconstruction import compare, summary, summary_of
from xtalcodec.geometry.images import wrapped
from xtalcodec.io.read import Unusable
from xtalcodec.io.write import write_parquet
from xtalcodec.parallel import HERE


@pytest.fixture(scope="module")
def crystals(tmp_path_factory, prototypes):
    path = tmp_path_factory.mktemp("verbs") / "crystals.parquet"
    write_parquet(prototypes[:60:5], path)
    return path


def invoke(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code in (0, 3), result.output
    return result


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def test_encode_and_decode_by_shards_give_what_one_file_gives_and_two_workers_the_same_bytes(crystals, tmp_path):
    words = ["encode", crystals, "--no-refine", "--chunk", "4"]
    invoke(*words, "--out", tmp_path / "one")
    invoke(*words, "--out", tmp_path / "two", "--workers", "2")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert sorted(contents(tmp_path / "one"))[1:] == [f"part-00000{k}.parquet" for k in range(3)]
    invoke(*words, "--out", tmp_path / "z.parquet")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "two", "z.parquet"]
    shards, joined = LatentSet.from_parquet(tmp_path / "one"), LatentSet.from_parquet(tmp_path / "z.parquet")
    assert shards.codec == joined.codec
    assert [c.name for c in shards] == [c.name for c in joined]
    assert all((a.z == b.z).all() for a, b in zip(shards, joined, strict=True))
    for k, source in enumerate(("one", "z.parquet")):
        invoke("decode", tmp_path / source, "--out", tmp_path / f"{k}.parquet", "--json", tmp_path / f"{k}.json")
    assert (tmp_path / "0.parquet").read_bytes() == (tmp_path / "1.parquet").read_bytes()
    rows = json.loads((tmp_path / "0.json").read_text())
    assert [row["name"] for row in rows] == pq.read_table(tmp_path / "0.parquet")["material_id"].to_pylist()
    assert len(rows) == len(shards)


def test_codes_are_read_from_anywhere_to_anywhere(crystals, tmp_path):
    invoke("encode", crystals, "--no-refine", "--out", tmp_path / "z.parquet")
    whole = LatentSet.from_parquet(tmp_path / "z.parquet")
    pq.write_table(whole.table(), tmp_path / "groups.parquet", row_group_size=5)
    for start in (0, 3, 5, 11, 12):
        for stop in (None, 4, 10, 12):
            found = [code.name for code in codes_in(tmp_path / "groups.parquet", start, stop)]
            assert found == [code.name for code in whole][start:stop]


def test_another_codec_of_that_name_is_refused():
    with pytest.raises(ValueError, match=r"mp is the codec mp-[0-9a-f]+ on this worker, not mp-0"):
        CodecName("mp", "cpu", "mp-0", "").open()


def test_a_codec_with_other_settings_than_those_of_the_run_is_refused(mp, tmp_path):
    """Identity leaves out how cells are cut into patches and how latents are refined: codes are others all the same."""

    def named(folder, **settings):
        other = open_codec(replace(mp.config, **settings))
        other.network.load_state_dict(mp.network.state_dict())
        other.save_pretrained(tmp_path / folder)
        return CodecName.of(str(tmp_path / folder), "cpu")

    one = named("one")
    renamed = named("renamed", name="renamed")
    finer = named("finer", representation=replace(mp.config.representation, pitch=2.5))
    quick = named("quick", refine=replace(mp.config.refine, corrections=1))
    assert one.identity == finer.identity == quick.identity
    assert one.config == renamed.config
    assert len({Encode(name).settings()["codec_settings"] for name in (one, finer, quick)}) == 3
    with pytest.raises(ValueError, match="one has other settings on this worker"):
        replace(one, config=finer.config).open()


def test_every_verb_of_a_codec_notes_which_it_is_and_where_it_runs():
    name = CodecName("mp", "cpu", "mp-0", "0123")
    for work in (Encode(name), Decode(name, "mp-0"), Embed(name, "mp-0-1")):
        assert name.settings().items() <= work.settings().items()


def test_the_device_of_a_run_is_the_one_that_auto_takes():
    taken = "cuda" if torch.cuda.is_available() else "cpu"
    assert CodecName.of("mp", "auto").settings()["device"] == taken


def test_scores_from_shards_are_those_of_the_rows(tmp_path, mp, prototypes):
    """Two do not come back; of one the atoms are moved."""
    some = prototypes[:5]
    rng = np.random.default_rng(0)
    moved = some[3].translated(rng.random(3) * 1e-3)
    rows = [compare(c, c, 0.9 - k / 10, 10 + k, None, "") for k, c in enumerate(some[:2])]
    rows += [compare(some[2], None, 0.0, 0, None, "why"), compare(some[3], moved, 0.5, 12, float("inf"), "")]
    rows += [compare(some[4], some[0], 0.7, 13, 0.25, "")]

    class Rows:
        def settings(self):
            return {}

        def __call__(self, items):
            return Done(table_of([rows[int(item.name)] for item in items]), [])

    parts = [(Given(tuple(Unusable(x, "") for x in numbers), 0),) for numbers in ("01", "234")]
    shards = run(tmp_path, lambda: parts, Rows(), {}, HERE)
    assert summary_of(measured(shards), mp.identity, 1.0) == summary(rows, mp, 1.0)
    for a, b in zip(rows, rows_of(shards), strict=True):
        for name in a.__slots__:
            x, y = getattr(a, name), getattr(b, name)
            if name in ("original", "decoded") and x is not None:
                assert (x.name, x.notes) == (y.name, y.notes)
                np.testing.assert_array_equal(x.lattice, y.lattice)
                np.testing.assert_array_equal(x.numbers, y.numbers)
                np.testing.assert_array_equal(wrapped(x.frac_coords), y.frac_coords)
            else:
                assert x == y


def test_evaluate_in_chunks_keeps_rows_and_goes_on(crystals, tmp_path):
    words = ["evaluate", crystals, "--no-refine", "--rows", tmp_path / "rows", "--json", tmp_path / "s.json"]
    first = invoke(*words, "--chunk", "6").output
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "rows").glob("*.parquet")}
    assert len(times) == 2
    scores = json.loads((tmp_path / "s.json").read_text())
    again = invoke(*words, "--chunk", "6").output
    assert again.splitlines()[:-1] == first.splitlines()[:-1]  # the last has the seconds
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert json.loads((tmp_path / "s.json").read_text()) | {"seconds": 0} == scores | {"seconds": 0}
    refused = CliRunner().invoke(app, [str(word) for word in [*words, "--chunk", "5"]])
    assert refused.exit_code == 2
    assert "inputs.chunk is 6 there and 5 here" in refused.output


@pytest.mark.parametrize("items", [[], [1], [{"a": None}, {"a": [1.5, "ü"]}]])
def test_a_list_that_is_written_as_it_comes_is_the_same_json(tmp_path, items):
    write_json(tmp_path / "x.json", {"n": 1, "crystals": Listed(iter(items))})
    assert (tmp_path / "x.json").read_text() == json.dumps({"n": 1, "crystals": items}, indent=2) + "\n"
