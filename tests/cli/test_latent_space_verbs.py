"""`interpolate`, `sample` and `alter` as a user types them."""

import json
import shutil
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ase.data import chemical_symbols
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from xtalcodec import priors
from xtalcodec.cli import app
from xtalcodec.cli.completing import by_energy
from xtalcodec.cli.latent_space import _doubts
from xtalcodec.datasets import load

SITES = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]


@pytest.fixture
def run():
    def invoke(*words):
        result = CliRunner().invoke(app, [str(w) for w in words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke


@pytest.fixture(scope="module")
def cifs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cifs")
    for name, a in (("Sr", 3.905), ("Ba", 4.0), ("Ca", 3.84), ("Pb", 3.97)):
        structure = Structure.from_spacegroup("Pm-3m", Lattice.cubic(a), [name, "Ti", "O"], SITES)
        structure.to(str(folder / f"{name}TiO3.cif"))
    return folder


def formulas(folder) -> list[str]:
    crystals, unusable = load(folder)
    assert not unusable
    return [c.formula for c in crystals]


@pytest.mark.parametrize("verb", ["interpolate", "sample", "alter"])
def test_help_has_an_example(run, verb):
    result = run(verb, "--help")
    assert result.exit_code == 0
    assert f"Example: xtalcodec {verb}" in " ".join(result.output.split())


def test_steps_that_are_valid_and_not_to_be_believed_are_told(capsys):
    def row(sites, confidence, valid=True):
        return {"sites": sites, "confidence": confidence, "valid": valid}

    _doubts([row(6, 0.9), row(5, 0.4), row(7, 0.3, valid=False), row(6, 0.9)])
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said] == [
        "2 steps have not the sites of an end",
        "1 valid steps have a confidence below 0.5",
    ]
    _doubts([row(6, 0.9), row(12, 0.9), row(12, 0.5)])
    assert not capsys.readouterr().out


def test_interpolate_writes_table_crystals_strip_and_json(run, cifs, tmp_path):
    words = ["--steps", 3, "--no-refine", "--out", tmp_path / "out", "--strip", tmp_path / "s.png"]
    words += ["--html", tmp_path / "s.html"]
    result = run("interpolate", cifs / "SrTiO3.cif", cifs / "BaTiO3.cif", *words, "--json", tmp_path / "s.json")
    assert result.exit_code == 0, result.output
    assert "Pm-3m" in result.output
    assert len(formulas(tmp_path / "out")) == 3
    assert {"SrTiO3", "BaTiO3"} <= set(formulas(tmp_path / "out"))
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
    assert '"title":"100 %  BaTiO3"' in (tmp_path / "s.html").read_text()
    steps = json.loads((tmp_path / "s.json").read_text())["steps"]
    assert [row["share"] for row in steps] == [0, 0.5, 1]


def test_one_crystal_of_several_is_named(run, cifs):
    several = run("alter", cifs, *OXIDE)
    assert several.exit_code == 2
    assert f"holds 4 crystals: name one of them, as in {cifs}:BaTiO3" in several.output
    assert (
        f"has no crystal 'SrTi03' among 4. Did you mean {cifs}:SrTiO3?" in run("alter", f"{cifs}:SrTi03", *OXIDE).output
    )
    result = run("alter", f"{cifs}:SrTiO3", *OXIDE, "--no-refine")
    assert result.exit_code == 0, result.output


def test_grids_of_any_two_crystals_are_made_one(run, cifs, tmp_path):
    Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.61), ["Cu"], [[0, 0, 0]]).to(str(tmp_path / "cu.cif"))
    words = ["interpolate", tmp_path / "cu.cif", cifs / "SrTiO3.cif", "--no-refine", "--steps", 3, "--path", "arc"]
    result = run(*words, "--json", tmp_path / "s.json")
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "s.json").read_text())
    assert (told["path"], told["spherical"], told["potential"]) == ("arc", True, None)
    assert [row["formula"] for row in told["steps"]][::2] == ["Cu", "SrTiO3"]
    assert told["steps"][0]["shortest"] == pytest.approx(3.61 / 2**0.5, abs=0.1)
    refused = run(*words, "--common-sites", 4)
    assert refused.exit_code == 2
    assert "cu and SrTiO3 have no common cell of up to 4 sites" in refused.output


def test_what_a_format_cannot_hold_is_status_3(run, cifs, tmp_path):
    shared = [{"Sr": 0.5, "Ba": 0.5}, "Ti", "O"]
    Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.95), shared, SITES).to(str(tmp_path / "shared.cif"))
    words = [tmp_path / "shared.cif", "--no-refine", "--format", "poscar", "--out"]
    for result in (
        run("interpolate", cifs / "SrTiO3.cif", *words, tmp_path / "path", "--steps", 2),
        run("alter", "--replace", "Ti=Zr", *words, tmp_path / "altered"),
    ):
        assert result.exit_code == 3, result.output
        assert "it is disordered, which poscar cannot hold" in result.output


def test_no_step_is_no_path(run, cifs):
    result = run("interpolate", cifs / "SrTiO3.cif", cifs / "BaTiO3.cif", "--steps", 0)
    assert result.exit_code == 2
    assert "greater than or equal to 2" in result.output


OXIDE = ("--replace", "Sr=Ba")


def test_alter_replaces_and_scales(run, cifs, tmp_path):
    result = run("alter", cifs / "SrTiO3.cif", *OXIDE, "--no-refine", "--json", tmp_path / "r.json")
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "r.json").read_text())["crystals"]
    assert [row["formula"] for row in rows] == ["SrTiO3", "BaTiO3"]
    assert all(row["matched"] for row in rows)
    result = run("alter", cifs / "SrTiO3.cif", "--strain", "0.03", "--out", tmp_path / "s")
    assert result.exit_code == 0, result.output
    given, wider = (load(tmp_path / "s" / f"{name}.cif")[0][0] for name in ("SrTiO3", "SrTiO3-strained"))
    assert wider.volume / given.volume == pytest.approx(1.03**3, rel=1e-3)
    scales = ("--scale-density", "0.95", "--scale-density", "1.05")
    words = ["--out", tmp_path / "out", "--html", tmp_path / "r.html"]
    result = run("alter", cifs / "SrTiO3.cif", *OXIDE, *scales, *words)
    assert result.exit_code == 0, result.output
    assert '"title":"\\u00d7 0.95  BaTiO3"' in (tmp_path / "r.html").read_text()
    assert formulas(tmp_path / "out") == ["BaTiO3", "BaTiO3"]
    assert "SrTiO3-Sr=Ba-density-0.95" in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to alter"),
        (["--replace", "Sr=Xx"], "there is no element 'Xx'"),
        (["--replace", "Ca=Ba"], "SrTiO3 has no Ca to replace"),
        (["--replace", "Sr=Md"], "SrTiO3-Sr=Md: the codec 'mp' never saw Md"),
        (["--scale-density", "0"], "positive number"),
        (["--strain", "2 %"], "'2 %' is no strain"),
        ([*OXIDE, "--towards", "band_gap=2"], "--towards is for --noise"),
        ([*OXIDE, "--prior", "mp"], "--prior is for --noise"),
        (["--scale-density", "0.9", "-n", "3"], "-n is for --noise"),
        ([*OXIDE, "--potential", "sevennet-0"], "--potential is for --relax"),
        ([*OXIDE, "--strip", "s.bmp"], "s.bmp: such a picture is written as .png or .pdf"),
        ([*OXIDE, "--movie", "s.avi"], "s.avi: such a picture is written as .gif or .mp4"),
        ([*OXIDE, "--html", "s.pdf"], "s.pdf: such a picture is written as .html or .htm"),
    ],
)
def test_wrong_usage_of_alter_is_status_2(run, cifs, words, message):
    result = run("alter", cifs / "SrTiO3.cif", *words)
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--path", "line", "--spherical"], "--path line and --spherical are different ways"),
        (["--path", "atoms", "--prior", "mp"], "--path atoms and --prior are different ways"),
        (["--spherical", "--prior", "mp"], "--spherical and --prior are different ways"),
        (["--potential", "sevennet-0"], "--potential is for --energy"),
        (["--codec", "mp-unit-cell", "--common-sites", "8"], "--common-sites is for periodic codecs"),
    ],
)
def test_wrong_usage_of_interpolate_is_status_2(run, cifs, words, message):
    result = run("interpolate", cifs / "SrTiO3.cif", cifs / "BaTiO3.cif", *words)
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize("option", [("--prior", "gaussian"), ("--variance", "0.9"), ("--grid", "1x1x1")])
def test_what_is_for_fitting_is_refused_beside_a_prior(run, option):
    result = run("sample", "perov-5", "-n", 1, *option)
    assert result.exit_code == 2
    assert f"{option[0]} is for codes, to which a distribution is fitted" in result.output


@pytest.mark.parametrize("words", [["sample", "mp"], ["complete", "{}", "--remove-species", "O", "--prior", "mp"]])
def test_a_prior_of_another_codec_is_spoken_of_as_a_prior(run, cifs, words):
    result = run(*(word.format(cifs / "SrTiO3.cif") for word in words), "-n", 1, "--codec", "perov-5")
    assert result.exit_code == 2
    assert "the prior mp belongs to the codec mp-" in result.output
    assert "give --codec mp or load 'mp'" in result.output


@pytest.mark.parametrize("option", ["--json", "--strip", "--movie", "--html"])
def test_a_folder_in_place_of_a_file_is_refused_before_anything_is_made(run, tmp_path, option):
    result = run("sample", "perov-5", "-n", 1, option, tmp_path)
    assert result.exit_code == 2
    assert f"Invalid value for '{option}'" in result.output
    assert "samples:" not in result.output


def test_what_is_added_is_a_number_or_a_composition(run, cifs):
    result = run("complete", cifs / "SrTiO3.cif", "--remove-species", "O", "--add", "²")
    assert result.exit_code == 2
    assert "²: no formula of whole numbers" in result.output


@pytest.mark.parametrize(("verb", "by"), [("sample", "--rank stability and --relax"), ("complete", "--relax")])
def test_a_potential_that_nothing_needs_is_refused(run, cifs, verb, by):
    words = [] if verb == "sample" else [cifs / "SrTiO3.cif"]
    result = run(verb, *words, "--potential", "sevennet-l3i5")
    assert result.exit_code == 2
    assert f"--potential is for {by}" in result.output


def test_a_file_that_cannot_be_read_is_named(run, cifs, tmp_path):
    (tmp_path / "bad.cif").write_text("")
    result = run("interpolate", tmp_path / "bad.cif", cifs / "SrTiO3.cif")
    assert result.exit_code == 2
    assert "bad.cif: it is empty" in result.output


def test_samples_are_all_told_and_a_saved_prior_gives_the_same(run, cifs, tmp_path):
    latents = tmp_path / "z.parquet"
    assert run("encode", cifs, "--out", latents, "--no-refine").exit_code == 0
    words = ["-n", 4, "--seed", 2, "--temperature", 0.5, "--json", tmp_path / "a.json"]
    more = ["--save", tmp_path / "prior", "--out", tmp_path / "all", "--html", tmp_path / "a.html"]
    result = run("sample", latents, *words, *more)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "a.html").read_text().count('"highest":') == 4
    told = json.loads((tmp_path / "a.json").read_text())
    assert told["n"] == 4 == len(told["samples"])
    assert told["decoded"] == len(formulas(tmp_path / "all"))
    assert f"4 samples: {told['decoded']} decoded to crystals" in result.output
    words[-1] = tmp_path / "b.json"
    again = run("sample", tmp_path / "prior", *words, "--valid-only", "--out", tmp_path / "valid")
    assert again.exit_code == 0, again.output
    assert json.loads((tmp_path / "b.json").read_text()) == told
    assert len(list((tmp_path / "valid").glob("*.cif"))) == told["valid"]


def test_a_prior_is_of_one_grid(run, cifs, tmp_path):
    structure = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.61), ["Cu"], [[0, 0, 0]])
    structure.get_primitive_structure().to(str(tmp_path / "cu.cif"))
    latents = tmp_path / "z.parquet"
    assert run("encode", cifs, tmp_path / "cu.cif", "--out", latents, "--no-refine").exit_code == 0
    result = run("sample", latents)
    assert result.exit_code == 2
    assert "z.parquet: a prior is of one grid" in result.output
    assert "--grid chooses one" in result.output
    result = run("sample", latents, "--grid", "3x2x2", "-n", 1)
    assert result.exit_code == 0, result.output
    assert "4 of 5 codes are on the grid 3x2x2" in result.output


def test_an_unknown_prior_gets_the_list(run, tmp_path):
    result = run("sample", tmp_path, "--prior", "gausian")
    assert result.exit_code == 2
    assert "Did you mean 'gaussian'" in result.output


def test_a_flow_is_trained_and_asked_for_crystals(run, cifs, tmp_path, monkeypatch):
    monkeypatch.setattr(priors, "WEIGHTS", tmp_path / "box")
    small = ["flow.width=16", "flow.heads=2", "flow.layers=1", "flow.cell_width=16", "flow.cell_layers=1"]
    small += ["flow.composition_width=16", "flow.composition_layers=1", "optimiser.patches=64", "optimiser.steps=2"]
    words = ["sample=0", "--data", cifs, "--out", tmp_path / "flow"]
    result = run("train-prior", "mp", *small, *words)
    assert result.exit_code == 0, result.output
    flow = tmp_path / "flow/last"
    assert f"xtalcodec sample {flow} …" in result.output
    result = run("sample", flow, "-n", 3, "--composition", "SrTiO3", "--steps", 2, "--json", tmp_path / "told.json")
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["n"] == 3
    assert all(isinstance(row["as_planned"], bool) for row in told["samples"])
    for words, message in (
        (["--elements", "U"], "the prior never saw U in training"),
        (["--composition", "SrTiO3", "--sites", "6-7"], "no cell of 6 to 7 sites holds whole formula units of 5 atoms"),
        (["--property", "colour=3"], "this prior knows no 'colour'"),
    ):
        result = run("sample", flow, *words)
        assert result.exit_code == 2
        assert message in result.output

    titanate = cifs / "SrTiO3.cif"
    words = ["--prior", flow, "-n", 3, "--remove-species", "O", "--out", tmp_path / "completed"]
    result = run("complete", titanate, *words)
    assert result.exit_code == 0, result.output
    assert "3 draws, ways that differ: " in result.output
    assert "; 2 sites of SrTiO3 are kept" in result.output
    for words, message in (
        (["--remove-species", "Li"], "has no Li to take out"),
        (["--region", "z>2"], "has no site in z>2"),
        ([], "nothing to complete: give --remove-species, --region or --around"),
        (["--remove-species", "O", "--add", "-2"], "no atom is to be added"),
        (["--add", "Xx2"], "Xx2: there is no element 'Xx'"),
    ):
        result = run("complete", titanate, "--prior", flow, *words)
        assert result.exit_code == 2
        assert message in result.output

    result = run("alter", titanate, "--noise", 0.2, "--prior", flow, "-n", 3, "--json", tmp_path / "altered.json")
    assert result.exit_code in {0, 3}, result.output
    assert len(json.loads((tmp_path / "altered.json").read_text())["crystals"]) == 3
    result = run("alter", titanate, "--noise", 0.2)
    assert result.exit_code == 2
    assert "no prior for the codec 'mp-" in result.output
    words = [titanate, cifs / "BaTiO3.cif", "--steps", 3]
    result = run("interpolate", *words, "--prior", flow, "--json", tmp_path / "path.json")
    assert result.exit_code in {0, 3}, result.output
    assert json.loads((tmp_path / "path.json").read_text())["path"] == "flow"
    result = run("interpolate", *words, "--path", "flow")
    assert result.exit_code == 2
    assert "no prior for the codec 'mp-" in result.output
    check_it_in_the_box(run, flow, titanate, cifs / "BaTiO3.cif", tmp_path)


def check_it_in_the_box(run, flow, a, b, tmp_path):
    """What ships is taken by its name, and where no prior is named."""
    result = run("sample", "-n", 1)
    assert result.exit_code == 2
    assert "no prior for the codec 'mp-" in result.output
    result = run("sample", "mp", "-n", 1)
    assert result.exit_code == 2
    assert "no prior 'mp'; none ships" in result.output
    shutil.copytree(flow, tmp_path / "box" / "mp")
    told = []
    for words in ([], ["mp"], [flow]):
        result = run("sample", *words, "-n", 2, "--steps", 2, "--json", tmp_path / "told.json")
        assert result.exit_code == 0, result.output
        told.append(json.loads((tmp_path / "told.json").read_text()))
    assert told[0] == told[1] == told[2]
    for words in (
        ["complete", a, "--remove-species", "O", "-n", 1],
        ["complete", a, "--remove-species", "O", "-n", 1, "--prior", "mp"],
        ["alter", a, "--noise", 0.2, "-n", 1, "--towards", "density=5", "--strain", "0.01"],
        ["interpolate", a, b, "--steps", 3, "--path", "flow"],
    ):
        assert run(*words).exit_code in {0, 3}
    result = run("info", "mp", "--prior")
    assert "of xtalcodec, which makes crystals" in result.output
    assert "prior of mp-" in run("info").output
    result = run("alter", a, "--noise", 0.2, "--towards", "colour=5")
    assert result.exit_code == 2
    assert "this prior knows no 'colour'" in result.output
    result = run("complete", a, "--remove-species", "O", "--prior", "mq")
    assert result.exit_code == 2
    assert "no prior 'mq'; have mp. Did you mean 'mp'?" in result.output


def test_samples_are_compared_ranked_and_kept_in_a_table(run, cifs, tmp_path):
    assert run("encode", cifs, "--out", tmp_path / "z.parquet", "--no-refine").exit_code == 0
    out = tmp_path / "out"
    words = ["-n", 4, "--seed", 2, "--temperature", 0.0, "--reference", cifs, "--rank", "confidence", "--out", out]
    result = run("sample", tmp_path / "z.parquet", *words, "--json", tmp_path / "told.json")
    assert result.exit_code == 0, result.output
    rows = pq.read_table(out / "samples.parquet").to_pylist()
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert [{k: v for k, v in row.items() if k != "cif"} for row in rows] == [
        {k: row[k] for k in rows[0] if k != "cif"}
        for row in json.loads((tmp_path / "told.json").read_text())["samples"]
    ]
    assert {row["novel"] for row in rows if row["valid"]} <= {True, False}
    assert "of the valid are novel" in result.output or not any(row["valid"] for row in rows)
    result = run("sample", tmp_path / "z.parquet", "--hull", tmp_path / "h.parquet")
    assert result.exit_code == 2
    assert "--hull is for --rank stability and --relax" in result.output


SHRINKS = 0.98
"""Of a potential that shrinks every cell and gains a tenth of an electronvolt by it."""


@pytest.fixture
def shrinking(monkeypatch):
    from xtalcodec.evaluation.generation import relaxing

    def relaxation(crystal, _name, _steps):
        told = {"energy": -1.1, "before": -1.0, "converged": True, "numbers": crystal.numbers.tolist()}
        lattice = crystal.lattice * SHRINKS
        return told | {"lattice": lattice.ravel().tolist(), "frac_coords": crystal.frac_coords.ravel().tolist()}

    monkeypatch.setattr(relaxing, "relaxation", relaxation)
    monkeypatch.setattr(relaxing, "single_point", lambda *_: {"energy": -1.1})


@pytest.mark.usefixtures("shrinking")
def test_what_is_relaxed_is_written_as_it_ended(run, cifs, tmp_path):
    assert run("encode", cifs, "--out", tmp_path / "z.parquet", "--no-refine").exit_code == 0
    words = ["sample", tmp_path / "z.parquet", "-n", 2, "--temperature", 0.0]
    assert run(*words, "--out", tmp_path / "plain").exit_code == 0
    result = run(*words, "--relax", "--symprec", 0.1, "--out", tmp_path / "relaxed")
    assert result.exit_code == 0, result.output
    plain, relaxed = (load(tmp_path / name / "sample-1.cif")[0][0] for name in ("plain", "relaxed"))
    assert relaxed.volume == pytest.approx(plain.volume * SHRINKS**3, rel=1e-3)
    (before, _) = pq.read_table(tmp_path / "plain" / "samples.parquet").to_pylist()
    (row, again) = pq.read_table(tmp_path / "relaxed" / "samples.parquet").to_pylist()
    assert row["volume_per_atom"] == pytest.approx(before["volume_per_atom"] * SHRINKS**3)
    assert again["same_as"] == row["name"]
    assert (row["energy_before"], row["energy_per_atom"], row["relaxed"], row["symmetrised"]) == (-1, -1.1, True, True)
    assert row["displacement"] == pytest.approx(0, abs=1e-9)
    words = ["alter", cifs / "SrTiO3.cif", *OXIDE, "--no-refine", "--relax", "--json", tmp_path / "a.json"]
    result = run(*words, "--out", tmp_path / "altered")
    assert result.exit_code == 0, result.output
    (first, _) = json.loads((tmp_path / "a.json").read_text())["crystals"]
    assert (first["energy_before"], first["energy_per_atom"], first["why_not"]) == (-1.0, -1.1, None)
    assert load(tmp_path / "altered" / "SrTiO3.cif")[0][0].volume < 0.97 * 3.905**3


@pytest.mark.usefixtures("shrinking")
@pytest.mark.parametrize("words", [["--rank", "stability"], ["--relax"]])
def test_samples_far_below_the_hull_are_told(run, cifs, tmp_path, words):
    columns = {"composition": chemical_symbols[1:95], "energy_per_atom": [0.0] * 94, "potential": ["sevennet-0"] * 94}
    pq.write_table(pa.table(columns), tmp_path / "hull.parquet")
    assert run("encode", cifs, "--out", tmp_path / "z.parquet", "--no-refine").exit_code == 0
    words = [*words, "-n", 2, "--temperature", 0.0, "--hull", tmp_path / "hull.parquet"]
    result = run("sample", tmp_path / "z.parquet", *words)
    assert result.exit_code == 0, result.output
    assert "note: 2 more than 0.1 eV/atom below the hull, which lacks phases there" in result.stderr, result.output
    assert "it knows 94 compositions; `xtalcodec hull` makes one" in result.stderr


def test_relaxed_ways_that_are_wrong_come_last_and_unlike_ones_stay_in_order():
    def row(formula, energy, reason=""):
        return {"formula": formula, "sites": 3, "energy_per_atom": energy, "reason": reason}

    wrong = row("C", -9.2, "it adds nothing in place of Li1")
    assert by_energy([wrong, row("LiC2", None), row("LiC2", -6.5), row("LiC2", -8.6)]) == [3, 2, 1, 0]
    assert by_energy([row("LiC2", -6.5), wrong, row("NaC2", -8.6)]) == [0, 2, 1]


@pytest.mark.parametrize("words", [["sample", "perov-5"], ["complete", "{}"], ["alter", "{}", *OXIDE]])
def test_what_relaxing_needs_is_told_before_anything_is_made(run, cifs, monkeypatch, words):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *on: None if name == "sevenn" else find(name, *on))
    result = run(*(word.format(cifs / "SrTiO3.cif") for word in words), "--relax")
    assert result.exit_code == 2
    assert "SevenNet is not installed; this needs pip install 'xtalcodec[stability]'" in result.output


def test_ways_to_go_are_told_apart(run, cifs):
    words = ["interpolate", cifs / "SrTiO3.cif", cifs / "BaTiO3.cif", "--no-refine", "--steps", 3]
    result = run(*words, "--noise", 0.2)
    assert result.exit_code == 2
    assert "--noise is for latents that are mixed: --path line, arc or flow" in result.output
    result = run(*words, "--path", "atoms", "--codec", "linear-unit-cell")
    assert result.exit_code == 2
    assert "is one of windows, which have no cell in which atoms could move" in result.output


@pytest.mark.parametrize(
    "words",
    [
        *(["sample", "mp", "-n", 1, option] for option in ("--temperature", "--guidance", "--churn", "--symprec")),
        ["interpolate", "{}", "{}", "--path", "line", "--noise"],
    ],
)
def test_numbers_are_finite(run, cifs, words):
    result = run(*(str(word).format(cifs / "SrTiO3.cif") for word in words), "inf")
    assert result.exit_code == 2
    assert f"'{words[-1]}'" in result.output
    assert "inf is not a finite number" in " ".join(result.output.split())


def test_a_path_along_a_flow_has_ends_that_the_flow_knows(run, cifs, tmp_path):
    shared = [{"Sr": 0.5, "Ba": 0.5}, "Ti", "O"]
    Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.95), shared, SITES).to(str(tmp_path / "shared.cif"))
    Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.35), ["Po"], [[0, 0, 0]]).to(str(tmp_path / "Po.cif"))
    for end, message in (("Po", "Po: the prior never saw Po in training"), ("shared", "shared has shared or partly")):
        result = run("interpolate", cifs / "SrTiO3.cif", tmp_path / f"{end}.cif", "--path", "flow", "--steps", 3)
        assert result.exit_code == 2, result.output
        assert message in result.output


def test_samples_are_settled_once_or_not_at_all(run, monkeypatch):
    seen = []

    def noting(_, prior, *__):
        seen.append(prior.flow.sampler)
        raise ValueError("that will do")

    monkeypatch.setattr("xtalcodec.evaluation.generation.proposals.proposals", noting)
    for words in ([], ["--settle-once"], ["--as-drawn"]):
        assert "that will do" in run("sample", "mp", "-n", 2, *words).output
    usual, once, drawn = seen
    assert usual.returns
    assert once == replace(usual, returns=(), surprise=None)
    assert drawn == replace(usual, symmetric="never")
    result = run("sample", "mp", "-n", 2, "--settle-once", "--as-drawn")
    assert result.exit_code == 2
    assert "--as-drawn settles nothing" in result.output


def test_variations_are_of_the_latent_as_it_is_asked_for(run, cifs, monkeypatch):
    seen = []

    def noting(*_, refine):
        seen.append(refine)
        raise ValueError("that will do")

    monkeypatch.setattr("xtalcodec.latent_space.flows.variations", noting)
    for words in ([], ["--no-refine"]):
        assert "that will do" in run("alter", cifs / "SrTiO3.cif", "--noise", 0.2, *words).output
    assert seen == [True, False]


def test_a_prior_brings_its_codec(run, cifs, tmp_path):
    ends = [cifs / "SrTiO3.cif", cifs / "BaTiO3.cif"]
    for words in (["alter", ends[0], "--noise", 0.2, "-n", 1], ["interpolate", *ends, "--steps", 2]):
        result = run(*words, "--prior", "perov-5", "--json", tmp_path / "told.json")
        assert result.exit_code == 0, result.output
        assert json.loads((tmp_path / "told.json").read_text())["codec"].startswith("perov-5-")
        result = run(*words, "--prior", "perov-5", "--codec", "mp")
        assert result.exit_code == 2
        assert "belongs to the codec perov-5-" in result.output
