"""`generate` as a user types it."""

import json

import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from xtalcodec import FieldStore
from xtalcodec.cli import app
from xtalcodec.io.alone import alone


@pytest.fixture
def run():
    return lambda *words: CliRunner().invoke(app, ["generate", *map(str, words)])


@pytest.fixture(scope="module")
def cifs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crystals") / "cifs"
    folder.mkdir()
    for name, a in (("cu", 3.61), ("al", 4.05), ("kr", 12.5)):
        structure = Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [name.title()], [[0, 0, 0]])
        structure.to(str(folder / f"{name}.cif"))
    (folder.parent / "id_prop.csv").write_text("cu,1.5\n")
    return folder


def test_fields_properties_misfits_and_numbers(run, cifs, tmp_path):
    words = [cifs, "--representation", "repeating", "--out", tmp_path / "s.zarr", "--points", "12", "--rotate"]
    result = run(*words, "--properties", cifs.parent / "id_prop.csv", "--json", tmp_path / "s.json")
    assert result.exit_code == 3
    assert "unusable: kr: the window of 10 Å is smaller than its cell: 2 sites stay outside" in result.output
    assert "1 crystals have no line in the table of properties" in result.output
    assert "bytes per view: density" in result.output
    assert "50000 crystals × 3 views" in result.output
    told = json.loads((tmp_path / "s.json").read_text())
    assert (told["views"], told["crystals"], told["workers"]) == (6, 2, 1)
    store = FieldStore(tmp_path / "s.zarr")
    assert {row["material_id"] for row in store} == {"al", "cu"}
    assert store[3]["properties"].tolist() == [1.5]
    assert store.settings["representation"]["rotate"]
    again = run(*words, "--properties", cifs.parent / "id_prop.csv")
    assert again.exit_code == 3
    assert "nothing was left to paint" in again.output
    other = run(*words[:-1], "--properties", cifs.parent / "id_prop.csv")
    assert other.exit_code == 2
    assert "representation.rotate is True there and False here" in other.output


def test_a_wider_window_takes_wider_cells(run, cifs, tmp_path):
    words = ["--edge", "13", "--points", "6", "--views", "1", "--representation", "repeating"]
    assert run(cifs, *words, "--out", tmp_path / "s.zarr").exit_code == 0


def test_settings_of_the_paper(run, cifs, tmp_path):
    for representation, radius in (("unit_cell", 0.667), ("repeating", 0.65)):
        out = tmp_path / representation
        words = ["--images", "nearest", "--ties", "coin", "--representation", representation, "--out", out]
        assert run(cifs / "cu.cif", *words, "--views", 1).exit_code == 0
        settings = FieldStore(out, []).settings
        assert settings["representation"]["window"] == {
            "edge": 10.0,
            "points": 30,
            "sigma": 1.0,
            "label_radius": radius,
        }
        assert (settings["images"], settings["ties"]) == ("nearest", "coin")


def test_wrong_usage_is_told(run, cifs, tmp_path):
    out = ["--out", tmp_path / "s.zarr"]
    assert run(cifs, *out).exit_code == 2
    assert run(cifs, *out, "--representation", "periodic").exit_code == 2
    result = run(cifs, *out, "--representation", "unit_cell", "--rotate")
    assert result.exit_code == 2
    assert "unit_cell always rotates" in result.output
    result = run(cifs, *out, "--representation", "unit_cell", "--properties", tmp_path / "none.csv")
    assert result.exit_code == 2
    assert "none.csv" in result.output
    result = run(cifs / "kr.cif", *out, "--representation", "unit_cell")
    assert result.exit_code == 2
    assert "no crystal fits, of 1" in result.output
    assert not (tmp_path / "s.zarr").exists()


def test_two_runs_do_not_write_one_store(run, cifs, tmp_path):
    words = [cifs / "cu.cif", "--representation", "repeating", "--points", "6", "--out", tmp_path / "s.zarr"]
    with alone(tmp_path / "s.zarr"):
        refused = run(*words)
    assert refused.exit_code == 2
    assert "another run is writing" in refused.output
    assert not (tmp_path / "s.zarr").exists()
    assert run(*words).exit_code == 0
