"""A codec is looked up where the user typed its name, and its card is written where the user may write."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from xtalcodec.cli import app
from xtalcodec.codecs.latents import CrystalCode, LatentSet
from xtalcodec.priors.gaussian import GaussianPrior

RELEASE = Path(__file__).parents[1] / "fixtures" / "release-0.1"


@pytest.fixture
def run(monkeypatch):
    def refuse(*_, **__):
        pytest.fail("a file made the program download what it names")

    import xtalcodec.codecs.hub

    monkeypatch.setattr(xtalcodec.codecs.hub, "snapshot_download", refuse)
    return lambda *words: CliRunner().invoke(app, [str(w) for w in words])


def latents(codec: str) -> LatentSet:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(4, 2, 8)).astype(np.float32)
    return LatentSet(
        tuple(CrystalCode("x", row, (2, 1, 1), 4 * np.eye(3), np.eye(3, dtype=np.int64)) for row in z), codec
    )


def test_latents_that_name_a_repository_are_not_decoded_with_it(run, tmp_path):
    latents("evil/repository-0123456789ab").to_parquet(tmp_path / "z.parquet")
    for verb in (["decode", tmp_path / "z.parquet", "--out", tmp_path / "out"], ["sample", tmp_path / "z.parquet"]):
        result = run(*verb)
        assert result.exit_code == 2, result.output
        assert "belongs to the codec 'evil/repository-0123456789ab'" in result.output
        assert "give --codec" in result.output


def test_a_prior_that_names_a_repository_is_not_sampled_with_it(run, tmp_path):
    GaussianPrior.of(latents("evil/repository-0123456789ab")).save(tmp_path / "prior")
    result = run("sample", tmp_path / "prior")
    assert result.exit_code == 2, result.output
    assert "prior belongs to the codec 'evil/repository-0123456789ab'" in result.output


def test_latents_of_a_folder_ask_for_it_and_decode_with_it(run, tmp_path):
    result = run("decode", RELEASE / "tiny.parquet", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "give --codec" in result.output
    result = run("decode", RELEASE / "tiny.parquet", "--out", tmp_path / "out", "--codec", RELEASE / "tiny")
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "out").iterdir())) == 6


def test_latents_of_weights_that_were_replaced_say_where_those_are(run, tmp_path):
    result = run("decode", RELEASE / "mp.parquet", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "release 0.1.0 has its weights" in result.output
    assert not (tmp_path / "out").exists()


def test_a_card_in_the_package_is_never_written(run):
    from xtalcodec.codecs.hub import folder_of

    before = {p: p.read_bytes() for p in folder_of("mp").rglob("*.*") if p.is_file()}
    result = run("evaluate", "aflow-prototypes", "--limit", 2, "--no-refine", "--card")
    assert result.exit_code == 2
    assert "--card: mp ships with the package" in result.output
    assert {p: p.read_bytes() for p in folder_of("mp").rglob("*.*") if p.is_file()} == before


@pytest.mark.slow
def test_a_card_in_a_folder_gets_its_scores(run, tmp_path):
    import shutil

    shutil.copytree(RELEASE / "tiny", tmp_path / "tiny")
    words = ("evaluate", "aflow-prototypes", "--limit", 2, "--no-refine", "--card", "--codec", tmp_path / "tiny")
    assert run(*words).exit_code == 0
    assert json.loads((tmp_path / "tiny" / "scores.json").read_text())["aflow-prototypes"]["n"] == 2
    assert "| aflow-prototypes | 2 |" in (tmp_path / "tiny" / "README.md").read_text()
