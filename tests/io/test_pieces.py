"""Pieces of a file, read by one worker or shared among several, are what the file holds."""

import csv
import gzip
import io
import json
import tarfile
import zipfile
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xtalcodec.crystal import Crystal
from xtalcodec.io import pieces
from xtalcodec.io.files import FileNames, find
from xtalcodec.io.json import read as structure_json
from xtalcodec.io.json import text as json_text
from xtalcodec.io.pieces import Cutter, PieceError
from xtalcodec.io.read import Unusable, count, read
from xtalcodec.io.write import write, write_parquet


def crystals(number):
    """Cubes of hydrogen, each of another edge; every fifth has atoms enough to be refused."""
    rng = np.random.default_rng(0)
    return [
        Crystal(
            np.eye(3) * (3 + k),
            rng.random((12 if k % 5 == 4 else 1, 3)),
            np.ones(12 if k % 5 == 4 else 1, dtype=int),
            f"h{k}",
        )
        for k in range(number)
    ]


def texts(number, fmt, folder):
    for crystal in crystals(number):
        write(crystal, folder / "one", fmt)
        yield crystal.name, (folder / "one").read_text()


def make_parquet(path):
    write_parquet(crystals(23), path)
    pq.write_table(pq.read_table(path), path, row_group_size=4)


def make_one_group(path):
    write_parquet(crystals(23), path)


def make_csv(path):
    file = io.StringIO()
    rows = csv.writer(file)
    rows.writerow(["material_id", "cif"])
    rows.writerows([*texts(9, "cif", path.parent), ("broken", "data_x")])
    path.write_text(file.getvalue())


def make_extxyz(path):
    path.write_text("".join(text for _, text in texts(11, "extxyz", path.parent)) + "x\n")


def make_jsonl(path):
    path.write_text(
        "\n".join(json.dumps({"id": n, "structure": json.loads(t)}) for n, t in texts(7, "json", path.parent))
    )


def make_list(path):
    path.write_text(json.dumps([json.loads(t) for _, t in texts(7, "json", path.parent)]))


def make_split(path):
    rows = [[json.loads(t), 1.0] for _, t in texts(7, "json", path.parent)]
    path.write_text(json.dumps({"index": [f"m{k}" for k in range(7)], "columns": ["structure", "e"], "data": rows}))


def make_packed_csv(path):
    make_csv(path.with_name("y.csv"))
    path.write_bytes(gzip.compress(path.with_name("y.csv").read_bytes()))


def make_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in texts(9, "cif", path.parent):
            archive.writestr(f"{name}.cif", text)
        archive.writestr("readme.md", "no crystal")
        archive.writestr("broken.cif", "data_x")


def make_tar(path):
    with tarfile.open(path, "w:gz") as archive:
        for name, text in texts(5, "extxyz", path.parent):
            data = (text * 2).encode()
            info = tarfile.TarInfo(f"{name}.extxyz")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def make_broken_zip(path):
    make_zip(path)
    path.write_bytes(path.read_bytes()[:600])


KINDS = {
    "groups.parquet": make_parquet,
    "one_group.parquet": make_one_group,
    "x.csv": make_csv,
    "x.extxyz": make_extxyz,
    "x.jsonl": make_jsonl,
    "list.json": make_list,
    "split.json": make_split,
    "x.csv.gz": make_packed_csv,
    "x.zip": make_zip,
    "x.tar.gz": make_tar,
    "cut.zip": make_broken_zip,
}


def plain(item):
    if isinstance(item, Unusable):
        return item
    return item.name, item.lattice.tolist(), item.frac_coords.tolist(), item.numbers.tolist(), item.notes


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("length", [1, 4, 100])
def test_pieces_are_the_file(tmp_path, monkeypatch, name, length):
    monkeypatch.setattr(pieces, "_ONE", -1)
    monkeypatch.setattr(pieces, "_SEVERAL", -1)
    path = tmp_path / name
    KINDS[name](path)
    whole = [plain(item) for item in read(path, max_sites=10)]
    found = list(Cutter(length, max_sites=10).pieces(lambda: [path]))
    assert sum(piece.units for piece in found) == count(path)
    assert [plain(item) for piece in found for item in piece.read()] == whole
    # two workers take turns, and a third one begins in the middle
    apart = {k: [plain(x) for x in found[k].read()] for k in [*range(0, len(found), 2), *range(1, len(found), 2)]}
    assert list(chain.from_iterable(apart[k] for k in range(len(found)))) == whole
    assert any(isinstance(item, Unusable) for item in whole)


@pytest.fixture(params=["x.csv", "x.extxyz", "x.jsonl", "split.json"])
def long_file(request, tmp_path, monkeypatch):
    path = tmp_path / request.param
    KINDS[request.param](path)
    monkeypatch.setattr(pieces, "_ONE", -1)
    monkeypatch.setattr(pieces, "_SEVERAL", -1)
    monkeypatch.setattr(structure_json, "_SMALL", 100)
    monkeypatch.setattr(json_text, "_PIECE", 200)
    return path, [plain(item) for item in read(path, max_sites=10)]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])  # it is only read
@given(st.integers(1, 12), st.randoms(use_true_random=False))
def test_pieces_of_any_length_read_in_any_order_are_the_file(long_file, length, order):
    path, whole = long_file
    found = list(Cutter(length, max_sites=10).pieces(lambda: [path]))
    turns = order.sample(range(len(found)), len(found))
    apart = {k: [plain(item) for item in found[k].read()] for k in turns}
    assert list(chain.from_iterable(apart[k] for k in range(len(found)))) == whole


def test_small_files_stay_whole_and_missing_ones_say_so(tmp_path):
    make_csv(tmp_path / "x.csv")
    assert (tmp_path / "x.csv").stat().st_size < pieces._SEVERAL
    found = list(Cutter(2).pieces(lambda: [tmp_path / "x.csv", tmp_path / "none.cif", tmp_path / "none.parquet"]))
    assert [piece.units for piece in found] == [1, 1, 1]
    reasons = [[item.reason for item in piece.read() if isinstance(item, Unusable)] for piece in found]
    assert reasons[1:] == [["there is no such file"]] * 2


def test_a_worker_that_does_not_see_the_file_says_so(tmp_path):
    path = tmp_path / "x.parquet"
    make_one_group(path)
    (piece, *_) = Cutter(5).pieces(lambda: [path])
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(PieceError, match=r"x.parquet on .*: it has \d+ bytes, not \d+; all workers must see the same"):
        list(piece.read())
    path.unlink()
    with pytest.raises(PieceError, match="there is no such file"):
        list(piece.read())


def test_a_folder_is_gone_through_as_its_paths_are_sorted(tmp_path):
    for name in ("b/x.cif", "a.cif", "a/z.cif", "a/b/c.cif", "b.cif", ".hidden/x.cif", "a/notes.md", "B/x.cif"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("data_")
    wanted = [p for p in tmp_path.rglob("*.cif") if ".hidden" not in str(p)]
    assert list(find([tmp_path])) == sorted(wanted)


def test_files_of_one_name_are_told_apart_by_folders_and_suffixes():
    paths = [Path(p) for p in ("a/x/1.cif", "b/x/1.cif", "b/y/1.cif", "c/2.cif", "c/2.cif")]
    names = FileNames(lambda: paths)
    found = [names.of(path) for path in paths]
    assert len(set(found)) == len(set(paths)) == 4
    assert found[2] == "y/1"
    assert names.files == 5
