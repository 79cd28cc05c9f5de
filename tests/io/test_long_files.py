"""CSV, XYZ and JSON of any length: crystals come as the file is read, with the names that they have in short ones."""

import csv
import gzip
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xtalcodec.crystal import Crystal
from xtalcodec.io import tables, text
from xtalcodec.io.json import read as structure_json
from xtalcodec.io.json import text as json_text
from xtalcodec.io.read import Unusable, read
from xtalcodec.io.write import write

NUMBER = 40


def cell(k: int) -> Crystal:
    return Crystal(np.eye(3) * (3 + k), np.random.default_rng(k).random((16, 3)), np.full(16, 14))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Texts of the kinds of files, with the same crystals."""
    folder = tmp_path_factory.mktemp("written")

    def texts(fmt: str) -> list[str]:
        for k in range(NUMBER):
            write(cell(k), folder / str(k), fmt)
        return [(folder / str(k)).read_text() for k in range(NUMBER)]

    table, documents = io.StringIO(), texts("json")
    csv.writer(table).writerows([["cif", "note"], *([cif, "a\nb"] for cif in texts("cif"))])
    return {
        "csv": table.getvalue(),
        "xyz": "".join(texts("extxyz")),
        "json": f"[{', '.join(documents)}]",
        "jsonl": "".join(json.dumps(json.loads(one)) + "\n" for one in documents),
    }


@pytest.mark.parametrize("kind", ["csv", "xyz", "json", "jsonl"])
def test_crystals_come_before_the_rest_is_read(tmp_path, monkeypatch, written, kind):
    monkeypatch.setattr(text, "_PIECE", 1000)
    monkeypatch.setattr(json_text, "_PIECE", 1000)
    monkeypatch.setattr(structure_json, "_FIRST", 1000)
    monkeypatch.setattr(structure_json, "_SMALL", 1000)
    path = tmp_path / f"x.{kind}.gz"
    path.write_bytes(gzip.compress(written[kind].encode()))
    assert [item.name for item in read(path)] == [f"x#{k + 1}" for k in range(NUMBER)]
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 2])
    *crystals, told = read(path)
    assert 3 < len(crystals) < NUMBER - 3
    for k, crystal in enumerate(crystals):
        assert crystal.name == f"x#{k + 1}"
        np.testing.assert_allclose(crystal.volume, cell(k).volume)
    assert told == Unusable(str(path), "it is damaged or ends too early")


@pytest.mark.parametrize("kind", ["csv", "xyz", "json", "jsonl"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_every_encoding_with_its_mark(tmp_path, written, kind, encoding):
    path = tmp_path / f"x.{kind}"
    path.write_bytes(written[kind].replace("\n", "\r\n").encode(encoding))
    assert [item.name for item in read(path)] == [f"x#{k + 1}" for k in range(NUMBER)]


@pytest.mark.parametrize("kind", ["csv", "xyz"])
def test_bytes_that_are_no_text_end_it(tmp_path, monkeypatch, written, kind):
    monkeypatch.setattr(text, "_PIECE", 1000)
    path = tmp_path / f"x.{kind}"
    path.write_bytes(written[kind].encode() + b"\0\0")
    *crystals, told = read(path)
    assert len(crystals) >= NUMBER - 2  # one frame waits for its end, one for its name
    assert told.reason == "it is a binary file, not text"
    path.write_bytes(b"\n \0")
    assert [item.reason for item in read(path)] == ["it is a binary file, not text"]
    path.write_bytes(b"\n \r\n")
    assert [item.reason for item in read(path)] == ["it is empty"]


def test_lines_and_rows_without_end_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "MAX_BYTES", 1 << 20)
    monkeypatch.setattr(tables, "MAX_BYTES", 1 << 20)
    for name, content in {
        "x.xyz": b"1" * (1 << 21),
        "x.jsonl": b'{"a": 1}\n' + b"x" * (1 << 21),
        "x.csv": b"cif\n" + b"1," * (1 << 20),
    }.items():
        (tmp_path / name).write_bytes(content)
        assert [item.reason for item in read(tmp_path / name)] == ["one of its lines holds more than 1 MiB"]
    (tmp_path / "x.csv").write_bytes(b"cif\n" + b'"\n",' * (1 << 19))
    assert [item.reason for item in read(tmp_path / "x.csv")] == ["one of its rows holds more than 1 MiB"]


def test_a_bad_line_of_json_costs_only_itself(tmp_path, written):
    lines = written["jsonl"].splitlines()
    lines[1] = lines[1][:-20]
    (tmp_path / "x.jsonl").write_text("\n\n".join(lines))
    found = list(read(tmp_path / "x.jsonl"))
    assert [k for k, item in enumerate(found) if isinstance(item, Unusable)] == [1]
    assert found[1].name == f"{tmp_path}/x.jsonl#2"
    assert found[1].reason.startswith("line 3 cannot be read: ")
    assert found[-1].name == f"x#{NUMBER}"
    (tmp_path / "x.jsonl").write_text("{\n}\n{}")
    (told,) = read(tmp_path / "x.jsonl")
    assert told.reason == "it cannot be read: it holds several documents, and not each on its line"


SITE = {"species": [{"element": "Si", "occu": 1}], "abc": [0, 0, 0]}
SILICON = {"lattice": {"matrix": [[4, 0, 0], [0, 4, 0], [0, 0, 4]]}, "sites": [SITE]}
RECORDS = st.sampled_from([SILICON, {"id": "mp-1", "structure": SILICON}, {"structure": SILICON}, 1, None])
KEYS = st.sampled_from(["data", "meta", "index", "columns", "a", "cif", "structure", "sites", "lattice"])
TABLES = st.fixed_dictionaries(
    {"columns": st.just(["structure", "e"]), "data": st.lists(st.just([SILICON, 1.0]) | RECORDS, max_size=3)},
    optional={"index": st.lists(st.integers(0, 9) | st.sampled_from("abc"), max_size=3)},
)
DOCUMENTS = TABLES | st.dictionaries(KEYS, RECORDS | st.lists(RECORDS, max_size=3) | TABLES, max_size=4)


@settings(max_examples=80)
@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_long_documents_are_as_short_ones(tmp_path_factory, document, order):
    path = tmp_path_factory.getbasetemp() / "document.json"
    path.write_text(json.dumps({key: document[key] for key in order.sample(list(document), len(document))}))
    short = [(item.name, getattr(item, "reason", "")) for item in read(path)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structure_json, "_SMALL", 1)
        patch.setattr(json_text, "_PIECE", 30)
        assert [(item.name, getattr(item, "reason", "")) for item in read(path)] == short
