"""`encode` and `decode` as a user types them."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.latents import LatentSet
from xtalcodec.crystal import Crystal
from xtalcodec.datasets import load
from xtalcodec.io.write import write_many, write_parquet


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
        crystals, unusable = load(tmp_path / fmt)
        assert not unusable
        assert sorted(c.formula for c in crystals) == ["Al", "Cu"]
        assert all(p.suffix == suffix for p in (tmp_path / fmt).iterdir())
        assert re.search(r"confidence: median (1\.000|0\.99\d), the least (1\.000|0\.99\d) of (al|cu)\n", result.output)


def test_files_of_an_earlier_run_are_told(run, cifs, tmp_path):
    for name in ("al", "cu"):
        assert run("encode", cifs / f"{name}.cif", "--out", tmp_path / f"{name}.parquet", "--no-refine").exit_code == 0
    words = ["--out", tmp_path / "out"]
    assert "did not write" not in run("decode", tmp_path / "al.parquet", *words).output
    result = run("decode", tmp_path / "cu.parquet", *words)
    assert "also holds 1 .cif files that this run did not write" in result.output
    result = run("decode", tmp_path / "cu.parquet", *words, "--format", "poscar")
    assert "also holds 2 .cif files that this run did not write" in result.output


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


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--format", "poscar"], "--format poscar is for a folder of files, not for a .parquet file"),
        (["--symprec", "0.1"], "--symprec is for formats of one crystal a file"),
    ],
)
def test_what_would_change_nothing_in_a_table_is_refused(run, tmp_path, words, reason):
    result = run("decode", "z.parquet", "--out", tmp_path / "back.parquet", *words)
    assert result.exit_code == 2
    assert reason in result.output


def test_a_file_without_a_row_is_an_error(run, tmp_path, mp):
    LatentSet((), mp.identity).to_parquet(tmp_path / "zero.parquet")
    result = run("decode", tmp_path / "zero.parquet", "--out", tmp_path / "back")
    assert result.exit_code == 2
    assert f"there are no latents in {tmp_path / 'zero.parquet'}" in result.output


@pytest.mark.parametrize("words", [[], ["--self-check"]])
def test_a_row_that_cannot_be_decoded_is_listed_and_the_others_are_decoded(run, cifs, tmp_path, words):
    run("encode", cifs, "--no-refine", "--out", tmp_path / "z.parquet")
    codes = LatentSet.from_parquet(tmp_path / "z.parquet")
    wrong = {
        "nan": ({"z": codes[0].z * np.nan}, "a number is not finite"),
        "flat": ({"lattice": np.zeros((3, 3))}, "its cell has no volume"),
        "narrow": ({"z": codes[0].z[:, :-1]}, "latent numbers of shape"),
        "patches": ({"patches": (7, 1, 1)}, "latent numbers for 7×1×1 patches"),
        "noisy": ({"noise": 5.0}, "its latent has noise of 5"),
    }
    bad = tuple(replace(codes[0], name=name, **change) for name, (change, _) in wrong.items())
    replace(codes, codes=(*bad, *codes)).to_parquet(tmp_path / "z.parquet")
    result = run("decode", tmp_path / "z.parquet", "--out", tmp_path / "back", *words)
    assert result.exit_code == 3, result.output
    assert {path.name for path in (tmp_path / "back").iterdir()} == {"al.cif", "cu.cif"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["back", "cifs", "z.parquet"]
    for name, (_, reason) in wrong.items():
        assert re.search(rf"unusable: {name}: (\d+ )?{re.escape(reason)}", result.output)
    replace(codes, codes=bad).to_parquet(tmp_path / "bad.parquet")
    result = run("decode", tmp_path / "bad.parquet", "--out", tmp_path / "none", *words)
    assert result.exit_code == 3, result.output
    assert result.output.count("unusable") == len(bad)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["back.parquet", "back"])
def test_where_no_crystal_is_decoded_none_is_said_to_be_anywhere(run, cifs, tmp_path, monkeypatch, name):
    run("encode", cifs, "--no-refine", "--out", tmp_path / "z.parquet")
    monkeypatch.setattr(Codec, "decode_crystals", lambda _, latents, **__: [None] * len(latents))
    result = run("decode", tmp_path / "z.parquet", "--out", tmp_path / name)
    assert result.exit_code == 3, result.output
    assert "crystals are in" not in result.output
    assert not (tmp_path / "back.parquet").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["reconstruct", "in/salt.cif", "--out", "in"],
        ["reconstruct", "in", "--out", "in"],
        ["encode", "table.parquet", "--out", "table.parquet"],
        ["decode", "table.parquet", "--out", "table.parquet"],
        ["data", "convert", "in", "--out", "in", "--format", "cif"],
        ["data", "split", "table.parquet", "--train", "table.parquet", "--val", "val.parquet"],
        ["duplicates", "table.parquet", "--out", "table.parquet"],
        ["alter", "in/salt.cif", "--replace", "Na=K", "--out", "in"],
        ["interpolate", "in/salt.cif", "table.parquet:b", "--out", "in"],
        ["complete", "in/salt.cif", "--remove-species", "Na", "--out", "in"],
        ["data", "convert", ".", "--out", "table.parquet"],
        ["reconstruct", "in", "--html", "in/salt.cif"],
        ["evaluate", "table.parquet", "--rows", "table.parquet"],
        ["evaluate", "in", "--json", "in/salt.cif"],
        ["evaluate-samples", "in", "--reference", "table.parquet", "--rows", "table.parquet"],
        ["duplicates", "in", "table.parquet", "--out", "table.parquet"],
        ["generate", "in", "--representation", "unit_cell", "--out", "fields.zarr", "--json", "in/salt.cif"],
        ["similar", "in/salt.cif", "--in", "table.parquet", "--json", "table.parquet"],
        ["predict", "table.parquet", "--property", "band_gap", "--out", "table.parquet"],
        ["map", "in", "--out", "in/salt.cif"],
        ["sample", "--reference", "in", "--out", "in"],
        ["sample", "table.parquet", "--json", "table.parquet"],
        ["sample", "--rank", "stability", "--hull", "table.parquet", "--html", "table.parquet"],
        ["hull", "table.parquet", "--out", "table.parquet"],
    ],
)
def test_what_is_read_is_never_written_over(run, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    salt = Crystal(3.5 * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([11, 17]), name="salt")
    write_many([salt], tmp_path / "in", "cif")
    write_parquet([salt, replace(salt, name="b")], tmp_path / "table.parquet")
    before = {path: path.read_bytes() for path in (tmp_path / "in/salt.cif", tmp_path / "table.parquet")}
    result = run(*words)
    assert result.exit_code == 2
    assert "would replace what is read" in result.output
    assert {path: path.read_bytes() for path in before} == before


def test_samples_are_not_written_over_the_table_that_they_are_compared_with(run, tmp_path):
    salt = Crystal(3.5 * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([11, 17]), name="salt")
    table = tmp_path / "samples.parquet"
    write_parquet([salt], table)
    before = table.read_bytes()
    result = run("sample", "--reference", table, "--out", tmp_path)
    assert result.exit_code == 2
    assert "would replace what is read" in result.output
    assert table.read_bytes() == before


@pytest.mark.parametrize("verb", [["sample", "-n", "1"], ["encode", "cifs"]])
@pytest.mark.parametrize(
    ("out", "reason"),
    [
        ("file", "file is a file: it cannot be a folder too"),
        ("file/inside", "file/inside: not a directory"),
    ],
)
@pytest.mark.usefixtures("cifs")
def test_a_place_that_cannot_be_written_to_is_named(run, tmp_path, monkeypatch, verb, out, reason):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    result = run(*verb, "--out", out)
    assert result.exit_code == 2
    assert result.output == f"xtalcodec: {reason}\n"


def test_a_result_in_another_folder_or_beside_a_table_is_written(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    salt = Crystal(3.5 * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([11, 17]), name="salt")
    write_parquet([salt], tmp_path / "table.parquet")
    result = run("data", "convert", "table.parquet", "--out", ".", "--format", "cif")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "salt.cif").is_file()


@pytest.mark.parametrize(("device", "reason"), [("gpu", "no device 'gpu'"), ("cuda:99", "finds no cuda:99")])
def test_a_device_that_is_not_there_is_named(run, device, reason):
    result = run("reconstruct", "x.cif", "--device", device)
    assert result.exit_code == 2
    assert reason in " ".join(result.output.replace("│", " ").split())


def test_decoding_without_the_check_is_less_exact(run, cifs, tmp_path):
    run("encode", cifs, "--no-refine", "--out", tmp_path / "z.parquet")
    distances = {}
    for words in ((), ("--no-check",)):
        run("decode", tmp_path / "z.parquet", "--out", tmp_path / "b", *words, "--self-check", "--json", tmp_path / "j")
        rows = json.loads((tmp_path / "j").read_text())
        distances[words] = max(row["cycle_consistency"] for row in rows)
    assert 3 * distances[()] < distances["--no-check",]
