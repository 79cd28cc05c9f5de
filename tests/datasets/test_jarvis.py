"""JARVIS, through the list of jarvis-tools, against a file that we wrote."""

import io

import pytest
import recorded
from hypothesis import given, settings
from hypothesis import strategies as st

from xtalcodec.datasets import load, source_of, stream
from xtalcodec.datasets.source import SourceError
from xtalcodec.datasets.sources import jarvis as module
from xtalcodec.datasets.sources.jarvis import objects


def test_the_file_is_fetched_once_and_read_in_order(jarvis, metals):
    server = jarvis(recorded.one_file(recorded.jarvis(metals, "m.json")))
    for _ in range(2):
        crystals, unusable = load("jarvis:metals")
        assert not unusable
        assert [c.name for c in crystals] == [c.name for c in metals]
    assert server.asked == {"/7": 1}


def test_a_download_that_broke_off_goes_on_where_it_stopped(jarvis, metals, monkeypatch):
    monkeypatch.setattr("xtalcodec.datasets.web._PIECE", 20)
    content, told, begun = recorded.jarvis(metals, "m.json"), [], []
    jarvis(recorded.one_file(content, cut=[100, 60], begun=begun))
    for _ in range(2):
        with pytest.raises(SourceError, match="broke off"):
            load("jarvis:metals")
    assert len(list(stream("jarvis:metals", progress=lambda *of: told.append(of)))) == len(metals)
    assert told[0] == (180, len(content))
    assert begun == [0, 100, 160]


def test_a_damaged_file_is_removed_and_fetched_again(jarvis, metals, cache):
    jarvis(recorded.one_file(recorded.jarvis(metals, "m.json")))
    next(stream("jarvis:metals"))
    (file,) = cache.rglob("data.zip")
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(SourceError, match=r"is damaged .* the same line fetches it again"):
        load("jarvis:metals")
    assert len(load("jarvis:metals")[0]) == len(metals)


def test_pickle_and_other_files_are_not_read(jarvis, metals):
    import pickle

    class Told:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    jarvis(recorded.one_file(pickle.dumps(Told())))
    with pytest.raises(SourceError, match="is damaged"):
        load("jarvis:metals")
    jarvis(recorded.one_file(recorded.jarvis(metals, "other.json")))
    with pytest.raises(SourceError, match=r"holds no m\.json"):
        load("jarvis:metals")


def test_a_data_set_that_is_not_listed_gets_the_list(jarvis):
    jarvis(recorded.one_file(b""))
    with pytest.raises(SourceError, match=r"no data set 'metal'; have metals\. Did you mean 'metals'"):
        load("jarvis:metal")
    for query in ("", "dft-3d", "../x", "dft_3d:JVASP-1"):
        with pytest.raises(SourceError, match="needs the name of a data set"):
            source_of(f"jarvis:{query}")


TEXT = st.text(max_size=9)
VALUES = st.integers() | st.floats(allow_nan=False) | TEXT
RECORDS = st.lists(st.dictionaries(TEXT, VALUES | st.dictionaries(TEXT, VALUES, max_size=2), max_size=3), max_size=5)


@settings(max_examples=25)
@given(RECORDS, st.integers(3, 50), st.sampled_from([None, 1]))
def test_objects_are_those_of_the_whole_array(records, piece, indent):
    import json

    before, module._PIECE = module._PIECE, piece
    try:
        text = json.dumps(records, ensure_ascii=False, indent=indent).encode("utf-8", "surrogatepass")
        assert list(objects(io.BytesIO(text.decode("utf-8", "replace").encode()).read)) == json.loads(
            text.decode("utf-8", "replace")
        )
    finally:
        module._PIECE = before


@pytest.mark.parametrize("text", ["", "[", '[{"a": 1}', '[{"a": 1}, {"b"', '{"a": 1}', "[1]", '["a"]', "<html>"])
def test_what_is_no_array_of_objects_is_refused(text):
    with pytest.raises(ValueError, match=r"no JSON array|too early|delimiter"):
        list(objects(io.BytesIO(text.encode()).read))
