"""Crystals with a number each, from every kind of table that users have."""

import csv
import gzip

import pytest

from xtalcodec.datasets.source import SourceError
from xtalcodec.datasets.valued import load_valued, number_of
from xtalcodec.io.write import write_parquet

METALS = {"cu": 3.61, "al": 4.05, "ag": 4.09}


@pytest.fixture
def cifs(tmp_path):
    """A folder of three metals."""
    from pymatgen.core import Lattice, Structure

    folder = tmp_path / "cifs"
    folder.mkdir()
    for name, a in METALS.items():
        Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [name.title()], [[0, 0, 0]]).to(
            str(folder / f"{name}.cif")
        )
    return folder


def table(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return str(path)


def found(valued):
    return {crystal.name: value for crystal, value in zip(valued.crystals, valued.values, strict=True)}


def test_a_csv_with_cifs_in_a_column_and_text_in_some_cells(cifs, tmp_path):
    texts = {name: (cifs / f"{name}.cif").read_text() for name in METALS}
    rows = [
        ("material_id", "cif", "modulus"),
        ("a", texts["cu"], "140"),
        ("b", texts["al"], "soft"),
        ("c", texts["ag"], ""),
    ]
    valued = load_valued([table(tmp_path / "m.csv", rows)], "modulus")
    assert (found(valued), valued.without, valued.unusable) == ({"a": 140.0}, 2, [])


@pytest.mark.parametrize("column", ["file", "cif"])
def test_a_csv_with_paths(cifs, tmp_path, column):
    rows = [
        (column, "note", "modulus"),
        ("cifs/cu.cif", "x", "140"),
        ("cifs/no.cif", "y", "2"),
        (str(cifs / "ag.cif"), "", "nan"),
    ]
    valued = load_valued([table(tmp_path / "m.csv", rows)], "modulus")
    assert (found(valued), valued.without) == ({"cu": 140.0}, 1)
    assert [u.reason for u in valued.unusable] == ["there is no such file"]


@pytest.mark.parametrize(
    ("rows", "column"),
    [
        ([("cu", "140", "0"), ("al.cif", "76", "1")], "property_1"),
        ([("id", "formula", "modulus"), ("cu", "Cu", "140"), ("al", "Al", "76"), ("ag", "Ag", "-")], "modulus"),
    ],
)
def test_a_folder_with_a_table_of_names_and_values(cifs, rows, column):
    table(cifs / "id_prop.csv", rows)
    valued = load_valued([str(cifs)], column)
    assert (found(valued), valued.without, valued.unusable) == ({"cu": 140.0, "al": 76.0}, 1, [])


def test_parquet_and_several_inputs(cifs, tmp_path):
    from dataclasses import replace

    from xtalcodec.datasets import load

    metals = load(cifs)[0]
    values = [{"gap": 0.0}, {"gap": float("nan")}, {"gap": 2}]
    write_parquet([replace(c, properties=p) for c, p in zip(metals, values, strict=True)], tmp_path / "a.parquet")
    valued = load_valued([str(tmp_path / "a.parquet"), str(cifs)], "gap")
    assert (sorted(valued.values), valued.without) == ([0.0, 2.0], 4)


def test_no_number_is_an_error_that_lists_the_columns(cifs, tmp_path):
    table(cifs / "t.csv", [("id", "modulus", "colour"), ("cu", "140", "red")])
    with pytest.raises(SourceError, match=r"no column with a number 'modulos'; have modulus\. Did you mean"):
        load_valued([str(cifs)], "modulos")
    with pytest.raises(SourceError, match="none of 3 crystals has a number in the column 'colour'"):
        load_valued([str(cifs)], "colour")
    (tmp_path / "empty.csv").touch()
    for nothing in ("empty.csv", "none.cif"):
        with pytest.raises(SourceError, match=f"there is no crystal in .*{nothing}"):
            load_valued([str(tmp_path / nothing)], "modulus")
    (cifs / "t.csv").unlink()
    with pytest.raises(SourceError, match="no crystal has a number beside it"):
        load_valued([str(cifs)], "modulus")


def test_numbers_are_finite_and_no_truth_values():
    assert [number_of(x) for x in (1, 2.5, True, "3", None, float("inf"), [1])] == [1.0, 2.5, *[None] * 5]


def test_compressed_and_latin_tables(cifs, tmp_path):
    rows = [("file", "gap", "prévu"), ("cifs/cu.cif", ".5", "1"), ("cifs/ag.cif", "+2", "2")]
    text = "\n".join(map(",".join, rows)) + "\n"
    (tmp_path / "m.csv").write_bytes(text.encode("latin-1"))
    (tmp_path / "m.csv.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("m.csv", "m.csv.gz"):
        assert found(load_valued([str(tmp_path / name)], "gap")) == {"cu": 0.5, "ag": 2.0}
    (cifs / "t.csv.gz").write_bytes(gzip.compress(b"id,gap\ncu,3.\n"))
    assert found(load_valued([str(cifs)], "gap")) == {"cu": 3.0}


def test_a_first_value_that_is_not_known_is_no_header(cifs):
    table(cifs / "id_prop.csv", [("cu", "nan"), ("al", "76"), ("ag", "3")])
    valued = load_valued([str(cifs)], "property_1")
    assert (found(valued), valued.without) == ({"al": 76.0, "ag": 3.0}, 1)


def test_a_table_that_cannot_be_read_is_told_beside_the_crystals(cifs):
    table(cifs / "id_prop.csv", [("cu", "1")])
    (cifs / "bad.csv").write_bytes(bytes(9))
    assert [u.reason for u in load_valued([str(cifs)], "property_1").unusable] == ["it is a binary file, not text"]
