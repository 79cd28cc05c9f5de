"""`evaluate-samples` and `hull` as a user types them."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xtalcodec.codecs.latents import CrystalCode, LatentSet


@pytest.fixture
def latents(tmp_path):
    z = np.zeros((1, 2), dtype=np.float32)
    code = CrystalCode("a", z, (1, 1, 1), 4 * np.eye(3), np.eye(3, dtype=np.int64), np.zeros(3))
    LatentSet((code,), "x").to_parquet(tmp_path / "latents.parquet")
    return tmp_path / "latents.parquet"


def test_samples_controls_rows_and_numbers(run, cifs, tmp_path):
    pytest.importorskip("smact")
    pytest.importorskip("matminer")
    samples = tmp_path / "samples"
    samples.mkdir()
    (samples / "cu.cif").write_bytes((cifs / "cu.cif").read_bytes())
    (samples / "torn.cif").write_text("data_torn\n_cell_length_a 4\n")
    words = ["evaluate-samples", samples, "--reference", cifs, "--train", cifs / "al.cif", "--protocol", "perov-5"]
    result = run(*words, "--json", tmp_path / "s.json", "--rows", tmp_path / "r.parquet")
    assert result.exit_code == 3, result.output
    assert "torn.cif" in result.output
    assert "held out (1)" in result.output
    assert "substituted (2)" in result.output
    told = json.loads((tmp_path / "s.json").read_text())
    assert told["samples"]["valid_rate"] == 0.5
    assert told["samples"]["vun_rate"] == 0.5
    assert told["settings"]["protocol"] == "perov-5"
    assert len(told["unusable"]) == 1
    assert pq.read_metadata(tmp_path / "r.parquet").num_rows == 2 + 1 + 2
    assert (tmp_path / "r.sqlite").stat().st_size, "results are kept beside the rows"


@pytest.fixture
def resting(monkeypatch):
    """A potential by which all crystals are at rest, at -3 eV/atom."""
    pytest.importorskip("smact")
    pytest.importorskip("matminer")

    def relaxation(crystal, _name, _steps):
        told = {"energy": -3.0, "before": -3.0, "converged": True, "numbers": crystal.numbers.tolist()}
        lattice = crystal.lattice.ravel().tolist()
        return told | {"lattice": lattice, "frac_coords": crystal.frac_coords.ravel().tolist()}

    for module in ("relaxing", "potentials"):
        monkeypatch.setattr(f"xtalcodec.evaluation.generation.{module}.relaxation", relaxation)
    for module in ("relaxing", "potentials", "staging"):
        monkeypatch.setattr(f"xtalcodec.evaluation.generation.{module}.check_potential", lambda _: None)


@pytest.mark.usefixtures("resting")
def test_crystals_without_a_distance_to_the_hull_are_told(run, cifs, tmp_path):
    """The hull knows copper alone: of aluminium it cannot say how stable it is."""
    pq.write_table(
        pa.table({"composition": ["Cu"], "energy_per_atom": [-3.7], "potential": ["sevennet-0"]}),
        tmp_path / "hull.parquet",
    )
    words = ["evaluate-samples", cifs / "al.cif", "--reference", cifs, "--train", cifs / "cu.cif", "--stability"]
    result = run(*words, "--protocol", "perov-5", "--hull", tmp_path / "hull.parquet")
    told = " ".join(result.output.split())
    assert "note: samples: 1 that are valid, unique and novel have no distance to the hull" in told
    assert "Al" in told


@pytest.mark.usefixtures("resting")
@pytest.mark.parametrize(("energy", "far"), [(-2.85, True), (-2.95, False)])
def test_crystals_far_below_the_hull_are_told(run, cifs, tmp_path, energy, far):
    columns = {"composition": ["Al", "Cu"], "energy_per_atom": [energy, -3.0], "potential": ["sevennet-0"] * 2}
    pq.write_table(pa.table(columns), tmp_path / "hull.parquet")
    words = ["evaluate-samples", cifs / "al.cif", "--reference", cifs, "--train", cifs / "cu.cif", "--stability"]
    result = run(*words, "--protocol", "perov-5", "--hull", tmp_path / "hull.parquet")
    note = "note: samples: 1 more than 0.1 eV/atom below the hull, which lacks phases there: it knows 2 compositions"
    assert (note in " ".join(result.output.split())) is far


def test_what_cannot_be_judged_is_told(run, cifs, latents, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()

    def told(*words):
        result = run("evaluate-samples", *words)
        assert result.exit_code == 2, result.output
        return " ".join(result.output.split())

    assert "it is a folder without a file of a known format" in told(empty, "--reference", cifs)
    assert "there is no reference crystal" in told(cifs, "--reference", empty)
    assert "latents, not crystals" in told(latents, "--reference", cifs)
    assert "there is no such file" in told(tmp_path / "no.cif", "--reference", cifs)
    assert "it needs --train" in told(cifs, "--reference", cifs, "--stability")
    stable = ("--reference", cifs, "--train", cifs, "--stability", "--hull")
    assert "no table of a hull" in told(cifs, *stable, latents)
    for more in (("--hull", latents), ("--potential", "sevennet-0")):
        assert "--hull and --potential are for --stability" in told(cifs, "--reference", cifs, *more)
    assert "no file of kept results" in told(cifs, "--reference", cifs, "--cache", cifs / "cu.cif")
    assert "--rows r.csv is no .parquet file" in told(cifs, "--reference", cifs, "--rows", "r.csv")
    assert "--out h.csv is no .parquet file" in run("hull", cifs, "--out", "h.csv").output
    for words in ((latents,), (empty,)):
        assert run("hull", *words, "--out", tmp_path / "h.parquet").exit_code == 2
    assert not (tmp_path / "h.parquet").exists()
