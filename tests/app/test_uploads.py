"""Uploads are told by their content, read by the guarded reader, and their names are words alone."""

import io
import zipfile

import pytest
from pymatgen.core import Lattice, Structure

from xtalcodec.app.uploads import FILES, TOGETHER, Gathered, name_of, read_upload, read_uploads, suffix_of

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.mark.parametrize(("fmt", "suffix"), [("cif", ".cif"), ("poscar", ".vasp"), ("json", ".json")])
@pytest.mark.parametrize("name", ["salt.txt", "salt", "salt.exe", "salt.zip"])
def test_the_content_tells_the_format_whatever_the_name(fmt, suffix, name):
    data = SALT.to(fmt=fmt).encode()
    assert suffix_of(data) == suffix
    crystals, unusable = read_upload(data, name)
    assert [c.formula for c in crystals] == ["NaCl"]
    assert not unusable


def test_a_zip_is_read_and_what_is_no_crystal_told():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("salt.cif", SALT.to(fmt="cif"))
        archive.writestr("../../bad.cif", "data_x\n_cell_length_a what\n")
    crystals, unusable = read_upload(file.getvalue(), "all.zip")
    assert [c.formula for c in crystals] == ["NaCl"]
    assert len(unusable) == 1


@pytest.mark.parametrize("data", [b"", b"\0\1\2", b"hello", b"PK\x03\x04broken", b"PAR1", b"\xff" * 100])
def test_anything_else_is_one_reason(data):
    crystals, unusable = read_upload(data, "x.cif")
    assert not crystals
    assert len(unusable) == 1
    assert "upload" not in unusable[0].reason, "no word of where it lay"
    assert unusable[0].name == "x"


def test_names_are_words():
    assert name_of("../../etc/passwd") == "passwd"
    assert name_of("C:\\a\\quartz.cif") == "quartz"
    assert name_of("<img onerror=x>.cif") == "<img onerror=x>"
    assert name_of("\0\n.cif") == "crystal"
    assert len(name_of("x" * 1000)) <= 120


def test_the_files_of_one_drop_are_read_together():
    data = SALT.to(fmt="cif").encode()
    files = [(data, "a.cif"), (b"hello", "b.cif"), (data, "c.cif"), (data, "d.cif")]
    crystals, unusable = read_uploads(files)
    assert [crystal.name for crystal in crystals] == ["a", "c", "d"]
    assert [item.name for item in unusable] == ["b"]
    crystals, unusable = read_uploads(files, 2)
    assert [crystal.name for crystal in crystals] == ["a", "c"]
    assert (unusable[-1].name, unusable[-1].reason) == ("d", "it is left out: 2 crystals are taken at a time")


def test_files_are_gathered_until_all_are_there():
    whole = []
    place = Gathered(whole.append)
    place.end()
    for name in ("a", "b"):
        place.add(b"x", name)
    place.end()
    place.end()
    assert whole == [[(b"x", "a"), (b"x", "b")]]


def test_one_file_too_many_or_too_large_is_refused_aloud():
    place = Gathered(lambda _: None)
    for k in range(FILES):
        place.add(b"x", f"{k}")
    with pytest.raises(ValueError, match="at most 50 files"):
        place.add(b"x", "one more")
    place.end()
    half = bytes(TOGETHER // 2)
    place.add(half, "a")
    place.add(half, "b")
    with pytest.raises(ValueError, match="at most 64 MiB"):
        place.add(b"x", "c")
