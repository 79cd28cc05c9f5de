"""The command line as a user types it: statuses, messages, files."""

import json
import subprocess
import sys

import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from xtalcodec.cli import app
from xtalcodec.geometry.symmetry import space_group
from xtalcodec.io.read import read_all

SPINEL = Structure.from_spacegroup(
    "Fd-3m:2", Lattice.cubic(8.08), ["Mg", "Al", "O"], [[x, x, x] for x in (0.125, 0.5, 0.2625)]
)


@pytest.fixture
def run():
    return lambda *words: CliRunner().invoke(app, [str(w) for w in words])


@pytest.fixture
def cifs(tmp_path):
    folder = tmp_path / "cifs"
    folder.mkdir()
    for name, a in (("cu", 3.61), ("al", 4.05)):
        Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [name.title()], [[0, 0, 0]]).to(
            str(folder / f"{name}.cif")
        )
    return folder


def test_help_of_every_verb_has_an_example(run):
    for verb in (
        ["reconstruct"],
        ["encode"],
        ["decode"],
        ["evaluate"],
        ["train"],
        ["info"],
        ["generate"],
        ["data", "show"],
        ["data", "convert"],
    ):
        result = run(*verb, "--help")
        assert result.exit_code == 0
        assert "Example: xtalcodec" in " ".join(result.output.split())


def test_reconstruct_writes_cifs_table_page_and_json(run, cifs, tmp_path):
    result = run(
        "reconstruct", cifs, "--out", tmp_path / "out", "--json", tmp_path / "s.json", "--html", tmp_path / "p.html"
    )
    assert result.exit_code == 0, result.output
    assert "Fm-3m" in result.output
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"al.cif", "cu.cif"}
    summary = json.loads((tmp_path / "s.json").read_text())
    assert summary["n"] == 2
    assert summary["match_rate"] == 1
    assert {row["formula"] for row in summary["crystals"]} == {"Al", "Cu"}
    assert "plotly" in (tmp_path / "p.html").read_text().lower()


def test_bad_inputs_are_listed_and_the_good_ones_done(run, cifs, tmp_path):
    (cifs / "empty.cif").write_text("")
    (cifs / "cut.cif").write_text((cifs / "cu.cif").read_text()[:200])
    (cifs / "bytes.cif").write_bytes(bytes(range(256)))
    result = run("reconstruct", cifs, "--out", tmp_path / "out")
    assert result.exit_code == 3
    for name in ("empty.cif", "cut.cif", "bytes.cif"):
        assert f"{name}: " in result.output
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_refused_element_is_unusable_not_a_crash(run, tmp_path):
    Structure(Lattice.cubic(4), ["Md"], [[0, 0, 0]]).to(str(tmp_path / "md.cif"))
    result = run("encode", tmp_path / "md.cif", "--out", tmp_path / "z.parquet")
    assert result.exit_code == 3
    assert "never saw Md" in result.output
    assert not (tmp_path / "z.parquet").exists()


def test_wrong_usage_is_status_2(run, cifs, tmp_path):
    assert run("reconstruct").exit_code == 2
    assert run("evaluate", cifs, "--codec", "mpp").exit_code == 2
    result = run("evaluate", cifs, "--codec", "linear-unit-cell", "--reader", "density")
    assert result.exit_code == 2
    assert "has one way to decode atoms" in result.output
    assert run("encode", cifs).exit_code == 2
    assert run("decode", cifs / "cu.cif", "--out", tmp_path).exit_code == 2
    result = run("train", "mpp", "--data", cifs, "--val", cifs, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "no recipe 'mpp'" in result.output
    result = run("train", "mp", "seeed=1", "--data", cifs, "--val", cifs, "--out", tmp_path / "run")
    assert "Did you mean 'seed'" in result.output


def test_what_reading_assumed_is_noted(run, tmp_path):
    text = "data_x\n_symmetry_space_group_name_H-M 'F m -3 m'\n"
    text += "".join(f"_cell_length_{x} 3.61\n" for x in "abc")
    text += "".join(f"_cell_angle_{x} 90\n" for x in ("alpha", "beta", "gamma"))
    text += "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nCu1 0 0 0\n"
    (tmp_path / "cu.cif").write_text(text)
    note = "operations from the table, for F m -3 m"
    result = run("reconstruct", tmp_path / "cu.cif", "--json", tmp_path / "s.json")
    assert result.exit_code == 0
    assert f"note: cu: {note}" in result.stderr
    assert json.loads((tmp_path / "s.json").read_text())["crystals"][0]["notes"] == [note]
    assert f"note: cu: {note}" in run("encode", tmp_path / "cu.cif", "--out", tmp_path / "l.parquet").stderr


def test_encode_then_decode_gives_the_crystals_back(run, cifs, tmp_path):
    assert run("encode", cifs, "--out", tmp_path / "z.parquet").exit_code == 0
    for fmt, suffix in (("cif", ".cif"), ("poscar", ".vasp"), ("extxyz", ".extxyz"), ("json", ".json")):
        result = run("decode", tmp_path / "z.parquet", "--out", tmp_path / fmt, "--format", fmt, "--self-check")
        assert result.exit_code == 0, result.output
        crystals, unusable = read_all([tmp_path / fmt])
        assert not unusable
        assert sorted(c.formula for c in crystals) == ["Al", "Cu"]
        assert all(p.suffix == suffix for p in (tmp_path / fmt).iterdir())


def test_decoding_with_another_codec_is_an_error(run, cifs, tmp_path):
    assert run("encode", cifs, "--out", tmp_path / "z.parquet").exit_code == 0
    result = run("decode", tmp_path / "z.parquet", "--out", tmp_path / "out", "--codec", "perov-5")
    assert result.exit_code == 2
    assert "belong to the codec mp-" in result.output
    assert not (tmp_path / "out").exists()


def test_a_spinel_is_a_spinel_again_with_symprec(run, tmp_path):
    SPINEL.get_primitive_structure().to(str(tmp_path / "spinel.cif"))
    result = run("reconstruct", tmp_path / "spinel.cif", "--out", tmp_path / "out", "--symprec", "0.1")
    assert result.exit_code == 0, result.output
    (crystal,), _ = read_all([tmp_path / "out" / "spinel.cif"])
    assert space_group(crystal, symprec=1e-3) == "Fd-3m"
    assert len(crystal) == 56


def test_evaluate_reports_everything_by_number_of_sites(run, tmp_path):
    result = run("evaluate", "aflow-prototypes", "--limit", "8", "--json", tmp_path / "s.json", "--no-refine")
    assert result.exit_code == 0, result.output
    scores = json.loads((tmp_path / "s.json").read_text())
    expected = {"n", "match_rate", "rmse", "rmse_angstrom", "count_rate", "composition_rate"}
    expected |= {"code_length", "seconds", "by_sites", "confidence_auc"}
    assert expected <= set(scores)
    assert scores["n"] == 8 == sum(part["n"] for part in scores["by_sites"].values())


def test_data_verbs(run, cifs, tmp_path):
    assert "aflow-prototypes" in run("data", "list").output
    result = run("data", "convert", cifs, "--out", tmp_path / "c.parquet")
    assert result.exit_code == 0, result.output
    assert "crystals  2" in run("data", "show", tmp_path / "c.parquet").output


def test_info_lists_codecs_and_shows_cards(run):
    assert "mp" in run("info").output
    assert "Held-out scores" in run("info", "mp").output
    assert run("info", "nonesuch").exit_code == 2


def test_importing_the_package_is_quick_and_leaves_torch_alone():
    code = "import sys, time; t = time.perf_counter(); import xtalcodec\n"
    code += "print(time.perf_counter() - t, 'torch' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert float(output[0]) < 0.3
    assert output[1] == "False"


def test_training_without_its_extra_says_what_to_install(run, cifs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    result = run("train", "mp", "--data", cifs, "--val", cifs, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "pip install 'xtalcodec[train]'" in result.output
