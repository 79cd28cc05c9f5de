"""`figures` as a user types it."""

import json
import sys

import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from xtalcodec.cli import app
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.representations.unit_cell import UnitCellConfig


@pytest.fixture
def run():
    return lambda *words: CliRunner().invoke(app, ["figures", *map(str, words)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The weights of mp-unit-cell, with notes of a training."""
    folder = tmp_path_factory.mktemp("run")
    codec = open_codec(CodecConfig("windows", UnitCellConfig(patches=6)))
    codec.network.load_state_dict(Codec.from_pretrained("mp-unit-cell").network.state_dict())
    codec.save_pretrained(folder)
    lines = [{"step": s, "crystals": 16 * s, "train/heat": 100 / s} for s in (50, 100, 150)]
    (folder / "curve.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture
def cifs(tmp_path):
    folder = tmp_path / "cifs"
    folder.mkdir()
    for name, a in (("cu", 3.61), ("al", 4.05)):
        cell = Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [name.title()], [[0, 0, 0]])
        cell.to(str(folder / f"{name}.cif"))
    line = Structure(Lattice.orthorhombic(3, 3, 30), ["C"] * 8, [[0, 0, k / 8] for k in range(8)])
    line.to(str(folder / "line.cif"))
    return folder


@pytest.mark.slow
def test_figures_of_a_run_are_drawn_and_listed(run, trained, cifs, tmp_path):
    result = run(trained, "--data", cifs, "--out", tmp_path / "out", "--format", "png", "--no-refine")
    assert result.exit_code == 0, result.output
    drawn = {path.name for path in (tmp_path / "out").iterdir()}
    assert drawn >= {"learning-curve.png", "distances.png", "slices.png", "isosurfaces.png", "windows.html"}
    assert not [name for name in drawn if name.endswith(".pdf")]
    assert {line.rpartition("/")[2] for line in result.stdout.split() if line.startswith("/")} == drawn
    assert "does not fit: " in result.stderr
    assert "line" in result.stderr
    assert "2 of 3 fit" in " ".join((tmp_path / "out" / "windows.html").read_text().split())


def test_a_codec_without_windows_or_notes_has_nothing_to_draw(run, tmp_path):
    result = run("mp", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "no learning curve" in result.stderr
    assert "a codec of no window" in result.stderr
    assert "nothing to draw of mp" in result.stderr
    assert not (tmp_path / "out").exists()


def test_what_to_install_is_told(run, trained, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run(trained, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "pip install 'xtalcodec[figures]'" in result.stderr


def test_help_has_an_example(run):
    assert "Example: xtalcodec figures" in " ".join(run("--help").output.split())
