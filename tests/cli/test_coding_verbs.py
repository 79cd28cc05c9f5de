"""`encode` and `decode` as a user types them."""

import re

import pytest
from pymatgen.core import Lattice, Structure

from xtalcodec.codecs.base import Codec
from xtalcodec.io.read import read_all


def test_a_refused_element_is_unusable_not_a_crash(run, tmp_path):
    Structure(Lattice.cubic(4), ["Md"], [[0, 0, 0]]).to(str(tmp_path / "md.cif"))
    result = run("encode", tmp_path / "md.cif", "--out", tmp_path / "z.parquet")
    assert result.exit_code == 3
    assert "never saw Md" in result.output
    assert not (tmp_path / "z.parquet").exists()


def test_encode_then_decode_gives_the_crystals_back(run, cifs, tmp_path):
    assert run("encode", cifs, "--out", tmp_path / "z.parquet").exit_code == 0
    for fmt, suffix in (("cif", ".cif"), ("poscar", ".vasp"), ("extxyz", ".extxyz"), ("json", ".json")):
        result = run("decode", tmp_path / "z.parquet", "--out", tmp_path / fmt, "--format", fmt, "--self-check")
        assert result.exit_code == 0, result.output
        crystals, unusable = read_all([tmp_path / fmt])
        assert not unusable
        assert sorted(c.formula for c in crystals) == ["Al", "Cu"]
        assert all(p.suffix == suffix for p in (tmp_path / fmt).iterdir())
        assert re.search(r"confidence: median 0\.8\d\d, the least 0\.\d{3} of (al|cu)\n", result.output)


def test_files_of_an_earlier_run_are_told(run, cifs, tmp_path):
    for name in ("al", "cu"):
        assert run("encode", cifs / f"{name}.cif", "--out", tmp_path / f"{name}.parquet", "--no-refine").exit_code == 0
    words = ["--out", tmp_path / "out"]
    assert "did not write" not in run("decode", tmp_path / "al.parquet", *words).output
    result = run("decode", tmp_path / "cu.parquet", *words)
    assert "also holds 1 .cif files that this run did not write" in result.output


@pytest.mark.parametrize("verb", [["encode"], ["data", "convert"]])
def test_a_name_that_looks_like_another_file_is_no_folder(run, cifs, tmp_path, verb):
    result = run(*verb, cifs, "--out", tmp_path / "z.csv")
    assert result.exit_code == 2
    assert "what is written is a .parquet file or a folder, not a .csv file" in result.output
    assert not (tmp_path / "z.csv").exists()


def test_decoding_with_another_codec_is_an_error(run, cifs, tmp_path):
    assert run("encode", cifs, "--out", tmp_path / "z.parquet").exit_code == 0
    result = run("decode", tmp_path / "z.parquet", "--out", tmp_path / "out", "--codec", "perov-5")
    assert result.exit_code == 2
    assert "belong to the codec mp-" in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["back.parquet", "back"])
def test_where_no_crystal_is_decoded_none_is_said_to_be_anywhere(run, cifs, tmp_path, monkeypatch, name):
    run("encode", cifs, "--no-refine", "--out", tmp_path / "z.parquet")
    monkeypatch.setattr(Codec, "decode_crystals", lambda _, latents: [None] * len(latents))
    result = run("decode", tmp_path / "z.parquet", "--out", tmp_path / name)
    assert result.exit_code == 3, result.output
    assert "crystals are in" not in result.output
    assert not (tmp_path / "back.parquet").exists()
