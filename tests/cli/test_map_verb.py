"""`map` as a user types it."""

import gzip
import json
import re
import shutil
import sys

import pytest


@pytest.fixture
def salts(tmp_path):
    """Halides of sodium as extended XYZ with a gap for two of them, and an element that the embedding never saw."""
    from ase import Atoms
    from ase.build import bulk
    from ase.io import write

    atoms = [bulk(f"Na{x}", "rocksalt", a=a) for x, a in (("F", 4.6), ("Cl", 5.6), ("Br", 6.0), ("I", 6.5))]
    for one, gap in zip(atoms, (6.1, 5.0), strict=False):
        one.info["band_gap"] = gap
    path = tmp_path / "salts.extxyz"
    write(path, [*atoms, Atoms("Po", cell=[5.3] * 3, pbc=True)])
    return path


def data(path):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text())[1])


def test_a_page_and_a_file_for_chemiscope(run, salts, tmp_path):
    out, scope = tmp_path / "map.html", tmp_path / "map.json.gz"
    result = run("map", salts, "--colour", "band_gap", "--out", out, "--chemiscope", scope)
    assert result.exit_code == 3, result.output
    assert "never saw Po" in result.output
    assert "4 crystals are in" in result.output
    kept = data(out)["map"]
    assert kept["formulas"] == ["NaF", "NaCl", "NaBr", "NaI"]
    assert (kept["columns"][0]["name"], kept["columns"][0]["known"]) == ("band_gap", 2)
    assert len(json.loads(gzip.decompress(scope.read_bytes()))["structures"]) == 4
    alone = run("map", salts, "--of", "structure", "--limit", 3, "--out", out)
    assert alone.exit_code == 0, alone.output
    assert data(out)["map"]["formulas"] == ["NaF", "NaCl", "NaI"]


def test_an_index_keeps_the_vectors_and_is_drawn_itself(run, salts, tmp_path):
    direct, kept, bare = (tmp_path / name for name in ("direct.html", "kept.html", "bare.html"))
    assert run("map", salts, "--out", direct).exit_code == 3
    for _ in range(2):  # the second time from the vectors of the first
        result = run("map", salts, "--index", tmp_path / "index", "--out", kept)
        assert result.exit_code == 0, result.output
    assert data(kept) == data(direct)
    result = run("map", tmp_path / "index", "--colour", "most_electronegative", "--out", bare)
    assert result.exit_code == 0, result.output
    assert "without their atoms, which the index does not keep" in result.output
    assert data(bare)["map"]["places"] == data(kept)["map"]["places"]
    assert data(bare)["crystals"]["counts"] == [0, 0, 0, 0]
    other = tmp_path / "other"
    shutil.copytree(tmp_path / "index", other)
    about = json.loads((other / "index.json").read_text())
    (other / "index.json").write_text(json.dumps(about | {"embedding": "mp-000/111"}))
    told = run("map", other, "--out", bare)
    assert told.exit_code == 2
    assert "is of the embedding mp-000/111" in told.output


def test_what_cannot_be_drawn_is_told(run, salts, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)  # as if it were not installed
    (tmp_path / "empty.cif").touch()
    out = ["--out", tmp_path / "map.html"]
    cases = [
        (("map", salts), "say where the map goes"),
        (("map", salts, "--colour", "bandgap", *out), "Did you mean 'band_gap'?"),
        (("map", salts, "--layout", "umap", *out), "pip install 'xtalcodec[umap]'"),
        (("map", tmp_path / "empty.cif", *out), "there is no crystal to draw in"),
        (("map", salts, "--codec", "perov-5", *out), "has no embedding"),
        (("map", salts, "--chemiscope", tmp_path / "map.txt"), "neither .json nor .json.gz"),
        (("map", salts, "--out", tmp_path / "map.png"), "map.png: such a picture is written as .html"),
    ]
    for words, message in cases:
        result = run(*words)
        assert result.exit_code == 2, (words, result.output)
        assert message in result.output, (words, result.output)
    assert not (tmp_path / "map.html").exists()
