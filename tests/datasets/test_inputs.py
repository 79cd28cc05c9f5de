import os

import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.datasets import load
from xtalcodec.datasets.inputs import Evenly, Inputs, Usable
from xtalcodec.io.ended import UnfinishedError
from xtalcodec.io.read import Unusable
from xtalcodec.io.write import write_many, write_parquet


@pytest.fixture(scope="module")
def folder(tmp_path_factory, prototypes):
    """Twelve crystals, a table of 30, and a broken file."""
    folder = tmp_path_factory.mktemp("inputs")
    write_many(prototypes[:12], folder, "cif")
    write_parquet(prototypes[20:50], folder / "table.parquet")
    (folder / "broken.cif").write_text("data_x")
    return folder


def names(items):
    return [item.name for item in items if isinstance(item, Crystal)]


def read(chunks):
    return [item for chunk in chunks for part in chunk for item in part.read()]


def test_chunks_hold_everything_once_in_order_and_close_at_their_length(folder):
    inputs = Inputs([str(folder)], 50, 5)
    chunks = list(inputs.chunks())
    assert names(read(chunks)) == names(inputs)
    assert len(names(inputs)) == 42 - sum(isinstance(x, Unusable) for x in inputs) + 1
    sizes = [sum(part.units for part in chunk) for chunk in chunks]
    assert all(5 <= size < 10 for size in sizes[:-1])
    digests, units = inputs.survey()
    assert (list(digests), units) == ([str(folder)], sum(sizes))


def test_digests_tell_other_files_and_other_times(folder):
    inputs = Inputs([str(folder)], 50, 5)
    first = inputs.survey()[0]
    assert Inputs([str(folder)], 50, 5).survey()[0] == first
    assert Inputs([str(folder)], 50, 6).survey()[0] == first  # how they are cut is another setting
    (folder / "broken.cif").write_text("data_xy")
    assert inputs.survey()[0] != first
    first = inputs.survey()[0]
    os.utime(folder / "broken.cif", ns=(1, 1))
    assert inputs.survey()[0] != first


def test_settings_tell_in_which_order_inputs_were_named_and_how_often(folder):
    one, other = str(folder / "table.parquet"), str(folder / "broken.cif")
    runs = [Inputs(words, 50, 5).settings() for words in ([one, other], [other, one], [one, one, other])]
    assert runs[0] == Inputs([one, other], 50, 5).settings()
    assert runs[0] != runs[1]
    assert runs[0] != runs[2]


def test_crystals_of_a_source_are_given_to_the_workers():
    inputs = Inputs(["aflow-prototypes"], 10, 100)
    assert inputs.survey() == ({"aflow-prototypes": "source"}, None)
    chunks = list(inputs.chunks())
    assert [chunk[0].units for chunk in chunks] == [100, 100, 88]
    items = read(chunks)
    assert len(items) == 288
    assert all(len(item) <= 10 if isinstance(item, Crystal) else "the limit is 10" in item.reason for item in items)


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_a_limit_spreads_evenly_and_keeps_what_is_unusable(folder, limit):
    inputs = Inputs([str(folder)], 50, 5)
    every = names(inputs)
    chosen = [every[k * len(every) // limit] for k in range(limit)] if limit < len(every) else every
    items = read(Evenly(inputs, limit).chunks())
    assert names(items) == chosen
    assert [x for x in items if isinstance(x, Unusable)] == [x for x in inputs if isinstance(x, Unusable)]


def test_a_limit_reads_the_inputs_once_to_count_and_once_to_take(folder, monkeypatch):
    begun = []
    whole = Inputs.__iter__
    monkeypatch.setattr(Inputs, "__iter__", lambda self: begun.append(self) or whole(self))
    read(Evenly(Inputs([str(folder)], 50, 5), 7).chunks())
    assert len(begun) == 2


def test_crystals_can_be_gone_through_again(folder):
    usable = Usable(Inputs([str(folder)], 50, 5))
    first = names(usable)
    assert names(usable) == first
    assert [item.name for item in usable.unusable if "broken" in item.name] == [str(folder / "broken.cif")]


def test_a_folder_that_a_run_has_not_filled_is_refused(folder, tmp_path):
    for path in (*folder.glob("*.cif"), folder / "table.parquet"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    Inputs([str(tmp_path)], 50, 5).survey()
    for record in ('{"shards": null}', '{"shards": 2}', "{}"):
        (tmp_path / ".run.json").write_text(record)
        with pytest.raises(UnfinishedError, match=r"is not whole|cannot be read as the record"):
            Inputs([str(tmp_path)], 50, 5).survey()
        for word in (str(tmp_path), f"table:{tmp_path}"):
            with pytest.raises(UnfinishedError, match=r"is not whole|cannot be read as the record"):
                load(word)
    (tmp_path / ".run.json").write_text('{"shards": 1}')
    (tmp_path / "table.parquet").rename(tmp_path / "part-000000.parquet")
    assert len(load(f"table:{tmp_path}")[0]) == 30
    Inputs([str(tmp_path)], 50, 5).survey()


def test_a_name_with_a_typo_is_refused():
    with pytest.raises(ValueError, match="Did you mean 'aflow-prototypes'"):
        Inputs(["aflow-prototype"], 10, 5)
