"""`reconstruct` and `evaluate` as a user types them."""

import json

import pytest
from pymatgen.core import Lattice, Structure

from xtalcodec.codecs.base import Codec
from xtalcodec.datasets import load
from xtalcodec.evaluation.reconstruction import NOTHING
from xtalcodec.geometry.symmetry import space_group

SPINEL = Structure.from_spacegroup(
    "Fd-3m:2", Lattice.cubic(8.08), ["Mg", "Al", "O"], [[x, x, x] for x in (0.125, 0.5, 0.2625)]
)


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
    assert "3dmol" in (tmp_path / "p.html").read_text().lower()


def test_a_page_of_another_kind_is_refused_before_anything_is_computed(run, cifs, tmp_path):
    result = run("reconstruct", cifs, "--html", tmp_path / "p.pdf")
    assert result.exit_code == 2
    assert "p.pdf: such a picture is written as .html or .htm" in result.output
    assert not (tmp_path / "p.pdf").exists()


def test_bad_inputs_are_listed_and_the_good_ones_done(run, cifs, tmp_path):
    (cifs / "empty.cif").write_text("")
    (cifs / "cut.cif").write_text((cifs / "cu.cif").read_text()[:200])
    (cifs / "bytes.cif").write_bytes(bytes(range(256)))
    result = run("reconstruct", cifs, "--out", tmp_path / "out")
    assert result.exit_code == 3
    for name in ("empty.cif", "cut.cif", "bytes.cif"):
        assert f"{name}: " in result.output
    assert len(list((tmp_path / "out").iterdir())) == 2


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


def test_a_spinel_is_a_spinel_again_with_symprec(run, tmp_path):
    SPINEL.get_primitive_structure().to(str(tmp_path / "spinel.cif"))
    result = run("reconstruct", tmp_path / "spinel.cif", "--out", tmp_path / "out", "--symprec", "0.1")
    assert result.exit_code == 0, result.output
    (crystal,), _ = load(tmp_path / "out" / "spinel.cif")
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


def test_what_cannot_be_held_or_decoded_says_why_below_the_table_in_errors_and_json(run, cifs, tmp_path, monkeypatch):
    Structure(Lattice.cubic(4), ["Md"], [[0, 0, 0]]).to(str(cifs / "md.cif"))
    decode = Codec.decode_crystals

    def losing(codec, latents, **more):
        found = decode(codec, latents, **more)
        return [None if code.name == "al" else crystal for code, crystal in zip(latents, found, strict=True)]

    monkeypatch.setattr(Codec, "decode_crystals", losing)
    paths = tmp_path / "s.json", tmp_path / "out", tmp_path / "p.html"
    result = run("reconstruct", cifs, "--json", paths[0], "--out", paths[1], "--html", paths[2])
    assert result.exit_code == 3
    reasons = {"cu": "", "al": NOTHING, "md": "the codec 'mp' never saw Md in training"}
    told = json.loads(paths[0].read_text())
    assert {row["name"]: row["reason"] for row in told["crystals"]} == reasons
    assert (told["n"], told["match_rate"], told["unusable"]) == (3, pytest.approx(1 / 3), [])
    table = " ".join(result.stdout.split())
    for name, reason in reasons.items():
        assert (f"unusable: {name}: {reason}" in result.stderr) == bool(reason)
        assert (f"no match: {name}: {reason}" in table) == bool(reason)
    assert [path.name for path in paths[1].iterdir()] == ["cu.cif"]
    assert NOTHING in paths[2].read_text()


def test_without_a_failure_nothing_says_why(run, cifs):
    result = run("reconstruct", cifs, "--no-refine")
    assert result.exit_code == 0
    assert "no match" not in result.stdout
    assert "unusable" not in result.stderr


def test_evaluate_of_the_given_cells_says_which_do_not_fit(run, tmp_path):
    """Two atoms at one corner and at the other of a cube: 1.2 Å apart through the faces, 11 Å in the cube."""
    ends = Structure(Lattice.cubic(7), ["C", "O"], [[0.05, 0.05, 0.05], [0.95, 0.95, 0.95]])
    ends.to(str(tmp_path / "ends.cif"))
    words = ["evaluate", tmp_path / "ends.cif", "--codec", "none", "--representation", "unit_cell"]
    told = {}
    for cell in ("compact", "given"):
        result = run(*words, "--cell", cell, "--json", tmp_path / "s.json")
        assert result.exit_code == 0, result.output
        told[cell] = json.loads((tmp_path / "s.json").read_text())
    assert run(*words).exit_code == 0
    assert (told["compact"]["fit"], told["compact"]["perfect_rate"]) == (1, 1)
    assert (told["given"]["fit"], told["given"]["n"]) == (0, 0)
    assert told["given"]["not_fitting"] == [
        {"name": "ends", "reason": "its cell does not fit: an atom lies 5.46 Å from the centre, the window ends at 5 Å"}
    ]
    assert "not in the window: ends: its cell does not fit" in result.stderr


def test_too_few_crystals_for_the_discriminator_are_told(run, cifs, tmp_path):
    words = ["evaluate", cifs, "--codec", "linear-unit-cell", "--no-refine", "--discriminator"]
    result = run(*words, "--json", tmp_path / "s.json")
    assert result.exit_code == 0, result.output
    assert "note: --discriminator needs 4 crystals that fit, and 2 do" in result.stderr
    assert "discriminator_auc" not in json.loads((tmp_path / "s.json").read_text())


def test_rows_are_a_table_or_a_folder(run, cifs):
    result = run("evaluate", cifs, "--rows", "rr.csv")
    assert result.exit_code == 2
    assert "--rows rr.csv: what is written is a .parquet file or a folder" in " ".join(result.stderr.split())


def test_a_cell_is_for_unit_cells(run, cifs):
    result = run("evaluate", cifs, "--codec", "none", "--representation", "repeating", "--cell", "given")
    assert result.exit_code == 2
    assert "--cell is for --representation unit_cell" in result.stderr


@pytest.mark.parametrize(
    ("codec", "option", "reason"),
    [
        ("mp", ["--cell", "given"], "--cell is for --codec none; mp encodes crystals on their own cell"),
        ("mp", ["--representation", "repeating"], "--representation is for --codec none; mp encodes"),
        ("mp", ["--reader", "density"], "--reader is for --codec none and codecs of windows; mp encodes"),
        ("mp", ["--discriminator"], "--discriminator is for codecs of windows; mp encodes"),
        ("linear-unit-cell", ["--cell", "given"], "--cell is for --codec none; linear-unit-cell encodes windows"),
        ("linear-unit-cell", ["--self-check"], "--self-check is for codecs of crystals on their own cell; linear"),
        ("none", ["--no-refine"], "--no-refine is for codecs of windows and codecs of crystals on their own cell"),
        ("none", ["--from-density"], "--from-density is for codecs of windows; none has no network"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(run, cifs, codec, option, reason):
    result = run("evaluate", cifs, "--codec", codec, *option)
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.split())


def test_crystals_that_a_codec_refuses_count_and_are_told(run, cifs):
    result = run("evaluate", cifs, "--codec", "carbon-24")
    assert result.exit_code == 0
    assert "2 crystals  matched   0.00 %" in result.output
    assert "never saw Cu" in result.output
