"""Tables with columns that the user names."""

import pyarrow as pa
import pyarrow.parquet
import pytest

from xtalcodec.datasets import load
from xtalcodec.datasets.source import SourceError
from xtalcodec.io.write import write_parquet


@pytest.fixture
def rows(metals):
    """Rows with two structures each, of which the first is the one that a reader would take."""
    text = [metal.to_pymatgen().to(fmt="cif") for metal in metals]
    return [
        {"structure": text[0], "final_structure": cif, "run": f"r{k}"}
        for k, cif in enumerate(text)
        if k != len(text) - 1
    ] + [{"structure": text[0], "final_structure": "nothing", "run": None}]


def test_named_columns_of_parquet_and_csv_are_read(rows, tmp_path):
    import csv

    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    with (tmp_path / "t.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    for name in ("t.parquet", "t.csv"):
        crystals, unusable = load(f"table:{tmp_path / name}?structure=final_structure&id=run")
        assert [c.name for c in crystals] == ["r0", "r1", "r2", "r3"]
        assert [c.formula for c in crystals] == ["Cu", "Al", "Fe", "Mg"]
        assert [u.name for u in unusable] == [f"{tmp_path / name}#5"]
        with pytest.raises(SourceError, match="no column 'end'; have final_structure, run, structure"):
            load(f"table:{tmp_path / name}?structure=end")


def test_a_folder_of_shards_is_one_table(metals, tmp_path):
    for k in (1, 0):
        write_parquet(metals[3 * k : 3 * k + 3], tmp_path / "shards" / f"{k}.parquet")
    (tmp_path / "shards/._0.parquet").write_text("what a Mac writes beside a file")
    told = []
    crystals, _ = load(f"table:{tmp_path / 'shards'}", progress=lambda *of: told.append(of))
    assert [c.name for c in crystals] == [c.name for c in metals]
    assert told == [(1, 2), (2, 2)]


def test_what_is_no_table_is_told(tmp_path):
    (tmp_path / "a.parquet").write_text("nothing")
    (tmp_path / "a.txt").write_text("nothing")
    for query, reason in (
        ("", "needs a path"),
        (tmp_path / "b.parquet", "there is no such table"),
        (tmp_path / "a.txt", "is no table"),
        (f"{tmp_path / 'a.parquet'}?column=x", "no option 'column'; have id, structure"),
        (f"{tmp_path / 'a.parquet'}?structure=x", r"a\.parquet: it cannot be read"),
    ):
        with pytest.raises(SourceError, match=reason):
            load(f"table:{query}")
    assert [u.name for u in load(f"table:{tmp_path / 'a.parquet'}")[1]] == [str(tmp_path / "a.parquet")]


def test_an_id_that_looks_like_a_number_names_its_crystal(metals, tmp_path):
    (tmp_path / "t.csv").write_text(pa_csv({"id": "12e5", "cif": metals[0].to_pymatgen().to(fmt="cif")}), newline="")
    for word in (tmp_path / "t.csv", f"table:{tmp_path / 't.csv'}?structure=cif"):
        ((crystal,), _) = load(word)
        assert (crystal.name, crystal.properties) == ("12e5", {})


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_the_rest_of_a_row_is_kept(metals, tmp_path, suffix):
    """Without further descriptions of the structure, and the columns that were named."""
    text = [metal.to_pymatgen().to(fmt="cif") for metal in metals[:2]]
    row = {"structure": text[0], "final": text[1], "mat": "007", "gap": 1.5, "tag": "x", "numbers": "[1]", "id": "z"}
    if suffix == "parquet":
        pyarrow.parquet.write_table(pa.Table.from_pylist([row]), tmp_path / "t.parquet")
    else:
        (tmp_path / "t.csv").write_text(pa_csv(row), newline="")
    ((crystal,), _) = load(f"table:{tmp_path / 't'}.{suffix}?structure=final&id=mat")
    assert (crystal.name, crystal.formula) == ("007", "Al")
    assert crystal.properties == {"gap": 1.5, "tag": "x", "id": "z"}
    ((crystal,), _) = load(f"table:{tmp_path / 't'}.{suffix}?id=mat")
    assert (crystal.name, crystal.formula) == ("007", "Cu")
    assert crystal.properties["gap"] == 1.5


def pa_csv(row):
    import csv
    import io

    text = io.StringIO()
    table = csv.DictWriter(text, list(row))
    table.writeheader()
    table.writerow(row)
    return text.getvalue()
