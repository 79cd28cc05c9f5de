"""`train-head` and `predict` as a user types them."""

import csv
import json

import pytest

QUICK = ["--set", "epochs=1", "--set", "network.members=2"]


@pytest.fixture(scope="module")
def volumes(mp, prototypes, tmp_path_factory):
    """A parquet file of small prototypes with the volume per site of each, Å³."""
    from dataclasses import replace

    from xtalcodec.io.write import write_parquet

    path = tmp_path_factory.mktemp("data") / "volumes.parquet"
    some = [c for c in prototypes if len(c) <= 4 and {*c.elements} <= {*mp.embedding.about.elements}][:60]
    write_parquet([replace(c, properties={"volume": c.volume / len(c), "kind": "x"}) for c in some], path)
    return path


@pytest.fixture(scope="module")
def head(volumes, tmp_path_factory):
    """A head that has learnt a little."""
    from typer.testing import CliRunner

    from xtalcodec.cli import app

    folder = tmp_path_factory.mktemp("head") / "volume"
    words = ["train-head", str(volumes), "--property", "volume", "--unit", "Å³", "--least", "0", *QUICK]
    words += ["--val", str(volumes), "--out", str(folder), "--licence", "mit"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "within the uncertainty, of 60 crystals" in result.output
    card = (folder / "README.md").read_text()
    assert "| licence | mit |" in card
    assert "| data | volumes.parquet |" in card
    return folder


def test_a_head_predicts_files_into_tables(run, head, cifs, tmp_path):
    for suffix in ("csv", "parquet", "json"):
        result = run("predict", cifs, "--property", head, "--out", tmp_path / f"t.{suffix}")
        assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "t.json").read_text())
    assert [(row["name"], row["formula"], row["unit"]) for row in rows] == [("al", "Al", "Å³"), ("cu", "Cu", "Å³")]
    assert all(row["uncertainty"] > 0 and row["value"] >= 0 for row in rows)
    with (tmp_path / "t.csv").open() as file:
        assert [float(row["value"]) for row in csv.DictReader(file)] == [row["value"] for row in rows]
    import pyarrow.parquet as pq

    assert pq.read_table(tmp_path / "t.parquet").to_pylist() == rows
    assert f"{rows[1]['value']:.4f} ± {rows[1]['uncertainty']:.4f} Å³" in result.output


def test_the_heads_in_the_box_predict(run, cifs):
    for prop, unit in (("formation_energy", "eV/atom"), ("band_gap", "eV"), ("e_above_hull", "eV/atom")):
        result = run("predict", cifs / "cu.cif", "--property", prop)
        assert result.exit_code == 0, result.output
        assert abs(float(result.output.split()[0])) < 0.5  # copper: an element, a metal, stable
        assert f" {unit} " in result.output


def test_what_cannot_be_is_said_in_a_sentence(run, head, cifs, volumes, tmp_path):
    (tmp_path / "empty.cif").touch()
    out = tmp_path / "out"
    cases = [
        (("predict", cifs, "--property", "bandgap"), "no head for the property 'bandgap'; have band_gap, e_above_hull"),
        (("predict", cifs, "--property", "volume", "--codec", "perov-5"), "has none"),
        (("predict", cifs, "--property", head, "--codec", "perov-5"), "belongs to the codec mp-"),
        (("predict", cifs, "--property", head, "--out", "t.txt"), "is no table"),
        (("predict", tmp_path / "empty.cif", "--property", head), "there is no crystal in"),
        (("train-head", volumes, "--property", "volumes", "--out", out), "Did you mean 'volume'?"),
        (("train-head", volumes, "--property", "kind", "--out", out), "none of 60 crystals has a number"),
        (("train-head", volumes, "--property", "volume", "--out", head), "holds a head already"),
        (("train-head", volumes, "--property", "volume", "--out", out, "--set", "epoch=3"), "Did you mean 'epochs'?"),
        (("train-head", tmp_path / "empty.cif", "--property", "volume", "--out", out), "there is no crystal in"),
    ]
    for words, message in cases:
        result = run(*words)
        assert result.exit_code == 2, (words, result.output)
        assert message in result.output, (words, result.output)
    assert not out.exists()


def test_a_strange_element_and_rows_without_a_number_are_told(run, head, cifs, tmp_path):
    from pymatgen.core import Lattice, Structure

    Structure(Lattice.cubic(3), ["Ac"], [[0, 0, 0]]).to(str(cifs / "ac.cif"))
    result = run("predict", cifs, "--property", head)
    assert result.exit_code == 3
    assert "never saw Ac in training" in result.output
    Structure(Lattice.cubic(6), ["O", "O"], [[0, 0, 0], [0.07, 0, 0]]).to(str(cifs / "near.cif"))
    assert "two of its atoms are 0.42 Å apart" in run("predict", cifs, "--property", head).output
    (cifs / "near.cif").unlink()
    (cifs / "t.csv").write_text("id,volume\ncu,11.8\nal,soft\n")
    few = run("train-head", cifs, "--property", "volume", "--out", tmp_path / "few", *QUICK)
    assert few.exit_code == 2
    assert "2 of 3 crystals are left out: no number in the column 'volume'" in few.output
    assert "1 crystals with volume are too few: a head needs 30" in few.output
