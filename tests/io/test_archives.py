"""Crystals in zip and tar archives; what an archive may not do."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.io import archives
from xtalcodec.io.files import find
from xtalcodec.io.formats import longer_name
from xtalcodec.io.read import Unusable, iterate, read, units
from xtalcodec.io.write import write

POSCAR = "x\n1.0\n4 0 0\n0 5 0\n0 0 6\nGe O\n1 1\nDirect\n0 0 0\n.5 .5 .5\n"


def pack(path: Path, members: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return path
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz", ".tar": "w"}[path.suffix]
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz", "x.tgz", "x.tar.bz2", "x.tar.xz", "x.tar"])
def test_members_are_named_by_their_place_and_a_bad_one_costs_only_itself(tmp_path, name):
    members = {"mp-1/POSCAR": POSCAR, "mp-2/POSCAR": POSCAR, "bad/x.cif": "data_x\n", "readme.md": "no", ".h.cif": "no"}
    path = pack(tmp_path / name, {key: text.encode() for key, text in members.items()})
    first, second, bad = read(path)
    assert [first.name, second.name] == ["mp-1/POSCAR", "mp-2/POSCAR"]
    assert isinstance(bad, Unusable)
    assert bad.name == f"{path}/bad/x.cif"
    assert list(find([tmp_path])) == [path]
    path.write_bytes(path.read_bytes()[: len(path.read_bytes()) // 2])
    assert all(isinstance(item, Crystal | Unusable) for item in read(path))


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_no_member_leaves_the_temporary_folder(tmp_path, name):
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    path = pack(inside / name, {"../../evil.cif": b"data_x\n", "/tmp/evil.cif": b"data_x\n", "..\\evil.vasp": b"x"})  # noqa: S108
    reasons = [item.reason for item in read(path)]
    assert sum("leaves the folder" in reason for reason in reasons) >= 1
    assert not list(tmp_path.rglob("evil*"))
    assert not Path("/tmp/evil.cif").exists()  # noqa: S108 - that is the point


def test_a_damaged_member_of_a_zip_costs_only_itself(tmp_path):
    path = pack(tmp_path / "x.zip", {f"{x}.vasp": POSCAR.encode() for x in "abc"})
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("b.vasp").header_offset
    data = bytearray(path.read_bytes())
    data[start + 30 + len("b.vasp") + 10] ^= 0xFF
    path.write_bytes(data)
    first, damaged, last = read(path)
    assert (first.name, last.name) == ("a", "c")
    assert damaged.name == f"{path}/b.vasp"
    assert [len(list(unit)) for unit in units(path, start=1)] == [1, 1]


def test_links_are_not_followed(tmp_path):
    (tmp_path / "secret.cif").write_text("secret")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE):
            info = tarfile.TarInfo("link.cif")
            info.type, info.linkname = kind, str(tmp_path / "secret.cif")
            archive.addfile(info)
    (found,) = read(tmp_path / "x.tar")
    assert "without a file of a known format" in found.reason


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
@pytest.mark.parametrize("member", ["x.cif", "zeros.bin"])
def test_a_bomb_is_refused_before_it_unpacks(tmp_path, monkeypatch, name, member):
    monkeypatch.setattr(archives, "_LEAST", 1 << 16)
    path = pack(tmp_path / name, {"a.vasp": POSCAR.encode(), member: bytes(1 << 24)})
    first, bomb = read(path)
    assert isinstance(first, Crystal)
    assert "unpacks to far more than it holds" in bomb.reason


def test_an_archive_in_an_archive_is_told(tmp_path):
    inner = pack(tmp_path / "inner.zip", {"x.vasp": POSCAR.encode()})
    path = pack(tmp_path / "outer.zip", {"inner.zip": inner.read_bytes(), "y.vasp": POSCAR.encode()})
    found, crystal = read(path)
    assert found == Unusable(f"{path}/inner.zip", "it is an archive in an archive: unpack it first")
    assert isinstance(crystal, Crystal)
    assert [len(list(unit)) for unit in units(path, start=1)] == [1]


def test_names_tell_which_is_which(tmp_path):
    for name in ("mp-1/POSCAR", "mp-2/POSCAR", "a/x.vasp", "b/x.vasp", "y.vasp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(POSCAR)
    assert sorted(crystal.name for crystal in iterate([tmp_path])) == ["a/x", "b/x", "mp-1/POSCAR", "mp-2/POSCAR", "y"]


def test_one_crystal_in_two_formats_and_namesakes_have_names_of_their_own(tmp_path):
    write(Crystal(4 * np.eye(3), np.zeros((1, 3)), np.array([14])), tmp_path / "a" / "x.cif", "cif")
    for name in ("a/x.vasp", "b/x.vasp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(POSCAR)
    crystals = iterate([tmp_path / "a", tmp_path / "b"])
    assert [crystal.name for crystal in crystals] == ["a/x.cif", "a/x.vasp", "b/x"]
    members = {"a/x.vasp": POSCAR, "b/x.vasp": POSCAR, "c\\x.vasp": POSCAR, "setup.cfg": "[metadata]\n"}
    members["test_poscar.py"] = "import this\n" * 9
    path = pack(tmp_path / "x.zip", {name: text.encode() for name, text in members.items()})
    assert [item.name for item in read(path)] == ["x", "b/x", "c/x"]


def test_longer_names_take_a_suffix_before_a_further_folder():
    names = [longer_name(Path("x/a/quartz.cif"), depth) for depth in (1, 2, 3, 4)]
    assert names == ["a/quartz", "a/quartz.cif", "x/a/quartz", "x/a/quartz.cif"]


def test_programs_and_settings_in_a_folder_are_no_crystals(tmp_path):
    (tmp_path / "setup.cfg").write_text("[metadata]\nname = x\n")
    (tmp_path / "test_poscar.py").write_text("def test_it():\n    assert True\n" * 9)
    (tmp_path / "read_contcar.sh").write_text("#!/bin/sh\n" * 9)
    (tmp_path / "POSCAR.txt").write_text(POSCAR)
    assert list(find([tmp_path])) == [tmp_path / "POSCAR.txt"]


def test_a_database_is_named_by_its_material_ids(tmp_path):
    import ase.db
    from ase import Atoms

    with ase.db.connect(tmp_path / "x.db") as database:
        database.write(Atoms("Ge", cell=[4, 4, 4], pbc=True), material_id="mp-9", gap=1.5)
        database.write(Atoms("Ge", cell=[4, 4, 4], pbc=True))
    assert [crystal.name for crystal in read(tmp_path / "x.db")] == ["mp-9", "x#2"]
