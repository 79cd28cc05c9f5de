"""`duplicates` as a user types it."""

import json

import pytest


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


def test_duplicates_are_listed_and_left_out(run, salts, tmp_path):
    result = run("duplicates", salts, "--out", tmp_path / "clean.parquet", "--json", tmp_path / "found.json")
    assert result.exit_code == 0, result.output
    assert "twice  is the same as  rock" in result.output
    assert "1 of 3 crystals are duplicates; 2 stay" in result.output
    assert json.loads((tmp_path / "found.json").read_text()) == [{"stays": "rock", "same": "twice"}]
    from xtalcodec.datasets import load

    assert [c.name for c in load(tmp_path / "clean.parquet")[0]] == ["blende", "rock"]
    against = run("duplicates", salts / "twice.cif", salts / "rock.cif")
    assert "1 of 1 crystals are duplicates; 0 stay" in against.output
    assert f"twice  is the same as  {salts / 'rock.cif'}:rock" in against.output


def test_what_cannot_be_is_said_in_a_sentence(run, salts, tmp_path):
    (tmp_path / "empty.cif").touch()
    for words, message in (
        ((tmp_path / "empty.cif",), "there is no crystal in"),
        ((salts, tmp_path / "empty.cif"), "there is no crystal in"),
        ((salts, "--out", tmp_path / "x.cif"), "is no .parquet file"),
    ):
        result = run("duplicates", *words)
        assert result.exit_code == 2, result.output
        assert message in result.output
