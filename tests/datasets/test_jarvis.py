"""JARVIS, through the list of jarvis-tools, against a file that we wrote."""

import io
import zipfile

import pytest
import recorded

from xtalcodec.datasets import load, source_of, stream
from xtalcodec.datasets.source import SourceError


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


@pytest.mark.parametrize("content", [b'{"a": 1}', b'[{"a": 1}', b"<html>", b"[] \xff"])
def test_a_file_that_is_no_list_is_refused(jarvis, content):
    jarvis(recorded.one_file(zipped(content)))
    with pytest.raises(SourceError, match=r"holds no m\.json with a list of crystals"):
        load("jarvis:metals")


def test_a_record_that_is_no_crystal_costs_only_itself(jarvis):
    jarvis(recorded.one_file(zipped(b'[1, {"jid": "a"}]')))
    assert [item.reason for item in load("jarvis:metals")[1]] == ["it holds no structure"] * 2


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("m.json", content)
    return file.getvalue()


def test_a_data_set_that_is_not_listed_gets_the_list(jarvis):
    jarvis(recorded.one_file(b""))
    with pytest.raises(SourceError, match=r"no data set 'metal'; have metals\. Did you mean 'metals'"):
        load("jarvis:metal")
    for query in ("", "dft-3d", "../x", "dft_3d:JVASP-1"):
        with pytest.raises(SourceError, match="needs the name of a data set"):
            source_of(f"jarvis:{query}")
