"""`train-embedding`, `index`, `similar` as a user types them."""

import json
import re
import shutil

import pytest

SMALL = ["steps=3", "batch=16", "views=2", "largest=6", "crystals=40"]


@pytest.fixture(scope="module")
def codec(mp, tmp_path_factory):
    """A copy of the default codec with an embedding that has learnt a little."""
    from typer.testing import CliRunner

    from xtalcodec.cli import app

    folder = tmp_path_factory.mktemp("codec")
    mp.save_pretrained(folder / "mp")
    shutil.rmtree(folder / "mp" / "embedding", ignore_errors=True)  # that of the box
    words = ["train-embedding", "mp", f"codec={folder / 'mp'}", *SMALL, "--data", "aflow-prototypes"]
    words += ["--val", "aflow-prototypes", "--out", str(folder / "mp" / "embedding"), "--licence", "mit"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "| licence | mit |" in (folder / "mp" / "embedding" / "README.md").read_text()
    return folder / "mp"


@pytest.fixture
def salts(tmp_path):
    """Three files: rock salt, the same in a supercell, sphalerite of the same elements."""
    from pymatgen.core import Lattice, Structure

    folder = tmp_path / "salts"
    folder.mkdir()
    cubic = Lattice.cubic(5.64)
    rock = Structure.from_spacegroup("Fm-3m", cubic, ["Mg", "S"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    rock.to(str(folder / "rock.cif"))
    (rock * (1, 1, 2)).to(str(folder / "twice.cif"))
    blende = Structure.from_spacegroup("F-43m", cubic, ["Mg", "S"], [[0, 0, 0], [0.25, 0.25, 0.25]])
    blende.to(str(folder / "blende.cif"))
    return folder


def test_prototypes_are_named(run, codec, salts, tmp_path):
    out = tmp_path / "found.json"
    result = run("similar", salts / "twice.cif", "--prototype", "-n", 2, "--codec", codec, "--json", out)
    assert result.exit_code == 0, result.output
    (row,) = json.loads(out.read_text())
    assert row["formula"] == "MgS"
    assert row["found"][0]["name"] == "AB_cF8_225_a_b"
    assert row["found"][0]["likeness"] == pytest.approx(1, abs=1e-3)
    assert "Halite" in result.output


def test_an_index_is_searched_appended_to_and_goes_on(run, codec, salts, tmp_path):
    first = run("index", salts, "--out", tmp_path / "index", "--codec", codec, "--chunk", 1)
    assert first.exit_code == 0, first.output
    assert "3 crystals" in first.output
    (part,) = (tmp_path / "index").glob("*/")
    before = {path.name: path.read_bytes() for path in part.glob("*.*")}
    (part / "part-000001.parquet").unlink()  # as if it had been killed
    (part / "crystal.npy").unlink()
    broken = run("similar", salts / "rock.cif", "--in", tmp_path / "index", "--codec", codec)
    assert broken.exit_code == 2
    assert "not whole" in broken.output
    record = json.loads((part / ".run.json").read_text())
    (part / ".run.json").write_text(json.dumps(record | {"shards": None}))
    again = run("index", salts, "--out", tmp_path / "index", "--codec", codec, "--chunk", 1)
    assert again.exit_code == 0, again.output
    assert {path.name: path.read_bytes() for path in part.glob("*.*")} == before
    more = run("index", "aflow-prototypes", "--out", tmp_path / "index", "--codec", codec)
    assert more.exit_code == 0, more.output
    assert "found by its structure alone: the embedding of the codec 'mp' never saw" in more.output
    found = run("similar", salts / "rock.cif", "--in", tmp_path / "index", "-n", 2, "--codec", codec)
    lines = found.output.splitlines()
    assert {line.split()[-1] for line in lines[1:]} == {"rock", "twice"}
    assert all(line.split()[0] == "1.0000" for line in lines[1:])
    only = run(
        "similar", salts / "rock.cif", "--in", tmp_path / "index", "--same-composition", "-n", 50, "--codec", codec
    )
    names = {line.split()[-1] for line in only.output.splitlines()[1:]}
    assert {"rock", "twice", "blende"} <= names
    assert all(" MgS " in line for line in only.output.splitlines()[1:])


def test_what_cannot_be_is_said_in_a_sentence(run, codec, salts, tmp_path):
    assert run("index", salts, "--out", tmp_path / "index", "--codec", codec).exit_code == 0
    other = tmp_path / "other"
    shutil.copytree(codec, other)
    about = json.loads((other / "embedding" / "embedding.json").read_text())
    (other / "embedding" / "embedding.json").write_text(json.dumps(about | {"elements": about["elements"][1:]}))
    cases = [
        (("similar", salts / "rock.cif", "--in", tmp_path / "index", "--codec", other), "is of the embedding mp-"),
        (("index", salts, "--out", tmp_path / "index", "--codec", other), "is of the embedding mp-"),
        (("similar", salts / "rock.cif", "--codec", codec), "name an index or data with --in"),
        (("similar", salts / "rock.cif", "--in", tmp_path / "empty.cif", "--codec", codec), "empty.cif"),
        (("similar", salts / "rock.cif", "--prototype", "--same-composition", "--codec", codec), "leave out"),
    ]
    (tmp_path / "empty.cif").touch()
    for words, message in cases:
        result = run(*words)
        assert result.exit_code == 2, (words, result.output)
        assert message in result.output, (words, result.output)
    strange = run("similar", _metal(tmp_path, "Ac"), "--in", salts, "--codec", codec)
    assert strange.exit_code == 3
    assert re.search(r"unusable: \w+: the embedding of the codec 'mp' never saw Ac in training", strange.output)


def _metal(folder, symbol):
    from pymatgen.core import Lattice, Structure

    path = folder / "metal.cif"
    Structure(Lattice.cubic(3), [symbol], [[0, 0, 0]]).to(str(path))
    return path
