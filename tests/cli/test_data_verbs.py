"""`data` as a user types it."""

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from xtalcodec.datasets import kept


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own for every test."""
    monkeypatch.setenv("XTALCODEC_CACHE", str(tmp_path / "cache"))


def test_data_verbs(run, cifs, tmp_path):
    result = run("data", "convert", cifs, "--out", tmp_path / "c.parquet")
    assert result.exit_code == 0, result.output
    assert "crystals  2" in run("data", "show", tmp_path / "c.parquet").output
    assert "crystals  2" in run("data", "show", f"table:{tmp_path / 'c.parquet'}?id=material_id").output


def test_a_file_whose_name_is_no_text_is_read_like_any_other(run, cifs, tmp_path):
    copy = tmp_path / os.fsdecode(b"bad\xff.cif")
    copy.write_bytes(next(cifs.glob("*.cif")).read_bytes())
    for k, words in enumerate(([tmp_path, cifs], [copy])):
        result = run("data", "convert", *words, "--out", tmp_path / f"{k}.parquet")
        assert result.exit_code == 0, result.output
        names = pq.read_table(tmp_path / f"{k}.parquet")["material_id"].to_pylist()
        assert names[0] == "bad?"
    assert len(names) == 1


def test_files_of_a_format_do_not_go_to_a_table(run, cifs, tmp_path):
    result = run("data", "convert", cifs, "--out", tmp_path / "c.parquet", "--format", "cif")
    assert result.exit_code == 2
    assert "--format cif is for a folder of files" in result.output
    assert not (tmp_path / "c.parquet").exists()


def test_a_split_is_both_files_or_none(run, cifs, tmp_path):
    words = ["data", "split", cifs, "--train", tmp_path / "t.parquet", "--val", tmp_path / "v.parquet"]
    result = run(*words, "--fraction", 0)
    assert result.exit_code == 2
    assert "no crystal is left for" in result.output
    assert not (tmp_path / "t.parquet").exists()
    for same in (tmp_path / "t.parquet", tmp_path / "x/../t.parquet"):
        assert "--train and --val are two files" in run(*words, "--val", same).output
    result = run(*words, "--val", tmp_path / "v.csv")
    assert "v.csv is no .parquet file" in result.output
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix) == []


KNOWN = """2
Lattice="4.2 0 0 0 4.2 0 0 0 4.2" Properties=species:S:1:pos:R:3:initial_magmoms:R:1 energy=-3.5 pbc="T T T"
Fe 0 0 0 4.0
O 2.1 2.1 2.1 0.5
"""


def test_properties_go_through_parquet_into_files_and_poscar_says_it_holds_none(run, tmp_path):
    (tmp_path / "x.extxyz").write_text(KNOWN)
    assert not run("data", "convert", tmp_path / "x.extxyz", "--out", tmp_path / "c.parquet").stderr
    assert not run("data", "convert", tmp_path / "c.parquet", "--out", tmp_path / "f", "--format", "extxyz").stderr
    assert "-3.5" in (tmp_path / "f/x.extxyz").read_text()
    assert "initial_magmoms:R:1" in (tmp_path / "f/x.extxyz").read_text()
    result = run("data", "convert", tmp_path / "c.parquet", "--out", tmp_path / "g", "--format", "poscar")
    assert "POSCAR holds cell, species and positions only; left out, of 1 crystals: energy, magmom" in result.stderr


def test_encode_says_once_that_codes_hold_no_properties(run, tmp_path):
    (tmp_path / "x.extxyz").write_text(KNOWN * 2)
    result = run("encode", tmp_path / "x.extxyz", "--out", tmp_path / "l.parquet", "--no-refine")
    assert result.stderr.count("codes hold cell, species and positions only") == 1
    assert "left out, of 2 crystals: energy, magmom" in result.stderr


def test_the_list_tells_of_every_source_how_to_ask_it_and_what_to_cite(run):
    output = run("data", "list").output
    for word in ("aflow-prototypes:", "materials-project:elements=Ti,O&nsites<20", "hf:LeMaterial", "jarvis:dft_3d"):
        assert word in output
    assert output.count("licence") == output.count("citation") == output.count("size") >= 7


def test_what_a_source_needs_is_told(run, monkeypatch):
    monkeypatch.delenv("MP_API_KEY", raising=False)
    result = run("data", "show", "materials-project:elements=Ti,O&nsites<20")
    assert result.exit_code == 2
    assert "set MP_API_KEY to your key" in result.output


@pytest.mark.parametrize(
    ("word", "library", "extra"),
    [("materials-project:elements=Ti", "mp_api", "materials-project"), ("jarvis:dft_3d", "jarvis", "jarvis")],
)
def test_a_missing_library_is_named_with_the_line_that_installs_it(run, monkeypatch, word, library, extra):
    import sys

    monkeypatch.setenv("MP_API_KEY", "k" * 32)
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    result = run("data", "show", word)
    assert result.exit_code == 2
    assert f"pip install 'xtalcodec[{extra}]'" in result.output


def test_the_cache_is_listed_and_removed(run):
    kept.folder_of("jarvis:metals", {"url": "x"})
    assert "jarvis:metals" in run("data", "cache").output
    assert "are removed" in run("data", "cache", "--remove", "jarvis:metals").output
    result = run("data", "cache", "--remove", "jarvis:metals")
    assert result.exit_code == 2
    assert "nothing is kept of 'jarvis:metals'" in result.output


def test_a_disordered_crystal_costs_a_format_that_cannot_hold_it_nothing_else(run, tmp_path):
    cases = Path(__file__).parents[1] / "io" / "cases"
    asked = [cases / "solid_solution.cif", cases / "hexagonal.cif"]
    shown = run("data", "show", *asked)
    assert "Mg" in shown.output
    assert "Zn" in shown.output
    for fmt, left in (("poscar", 1), ("extxyz", 1), ("cif", 2), ("json", 2)):
        out = run("data", "convert", *asked, "--out", tmp_path / fmt, "--format", fmt)
        assert f"{left} crystals are in" in out.output
        assert out.exit_code == (3 if left < 2 else 0), out.output
        assert ("unusable: solid_solution: it is disordered" in out.output) == (left < 2)
        assert len([*(tmp_path / fmt).iterdir()]) == left


def test_what_reading_assumed_is_told_before_it_is_a_table(run, tmp_path):
    heavy = "data_ice\n_cell_length_a 3\n_cell_length_b 3\n_cell_length_c 3\n_cell_angle_alpha 90\n"
    heavy += "_cell_angle_beta 90\n_cell_angle_gamma 90\nloop_\n_atom_site_type_symbol\n_atom_site_fract_x\n"
    (tmp_path / "ice.cif").write_text(heavy + "_atom_site_fract_y\n_atom_site_fract_z\nD 0 0 0\nO 0.5 0.5 0.5\n")
    result = run("data", "convert", tmp_path / "ice.cif", "--out", tmp_path / "ice.parquet")
    assert "isotopes are read as their element" in " ".join(result.output.split()), result.output
