"""`train` and `info` as a user types them."""

import sys

import pytest

from xtalcodec.training.recipe import load


@pytest.fixture
def recipes(monkeypatch):
    """Recipes that a training was started with; none is trained."""
    started = []
    monkeypatch.setattr("xtalcodec.training.loop.train", lambda recipe, *_, **__: started.append(recipe))
    return started


def test_words_of_earlier_releases_are_understood_with_a_note(run, cifs, recipes, tmp_path):
    words = ["codec.space.kind=repeating", "codec.space.patches=3", "codec.sites.nearest=0.5"]
    words += ["objective.kl=0.001", "optimiser.muon=0.5", "optimiser.steps=3"]
    result = run("train", "mp-unit-cell", *words, "--data", cifs, "--val", cifs, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    new = ["codec.representation.kind=repeating", "codec.representation.patches=3", "codec.atom_finder.nearest=0.5"]
    new += ["loss.kl=0.001", "optimiser.lr_muon=0.5", "optimiser.steps=3"]
    assert recipes == [load("mp-unit-cell", new)]
    for old, now in (
        ("codec.space", "codec.representation"),
        ("codec.sites", "codec.atom_finder"),
        ("objective", "loss"),
        ("optimiser.muon", "optimiser.lr_muon"),
    ):
        assert f"note: {old} is called {now} now" in result.stderr.splitlines()
        assert old not in result.stdout
    again = run("train", "mp-unit-cell", *new, "--data", cifs, "--val", cifs, "--out", tmp_path / "run")
    assert again.exit_code == 0
    assert "note:" not in again.stderr


def test_a_recipe_of_an_earlier_release_is_understood_with_a_note(run, cifs, recipes, tmp_path):
    (tmp_path / "old.yaml").write_text("codec: {name: mine, space: {kind: unit_cell}}\noptimiser: {adamw: 1.0e-3}\n")
    result = run("train", tmp_path / "old.yaml", "--data", cifs, "--val", cifs, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    (recipe,) = recipes
    assert (recipe.codec.representation.kind, recipe.optimiser.lr_adamw) == ("unit_cell", 1e-3)
    assert "note: codec.space is called codec.representation now" in result.stderr.splitlines()
    assert "note: optimiser.adamw is called optimiser.lr_adamw now" in result.stderr.splitlines()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["codec.space.kind=cube"], "no codec.representation.kind 'cube'; have "),
        (["optimiser.muon=-1"], "optimiser.lr_muon: input should be greater than or equal to 0, not -1"),
        (["optimiser.kind=adam"], "optimiser.kind: input should be 'muon', 'adamw' or 'sgd', not 'adam'"),
        (["--minutes", "much"], "Invalid value for '--minutes'"),
        (["--minutes", "-1"], "-1.0 is no time"),
        (["--minutes", "nan"], "nan is no time"),
    ],
)
def test_a_wrong_setting_is_status_2(run, cifs, recipes, tmp_path, words, message):
    result = run("train", "mp-unit-cell", *words, "--data", cifs, "--val", cifs, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not recipes
    assert not (tmp_path / "run").exists()


def test_info_lists_codecs_and_shows_cards(run):
    assert "mp" in run("info").output
    assert "Held-out scores" in run("info", "mp").output
    assert run("info", "nonesuch").exit_code == 2


def test_training_without_its_extra_says_what_to_install(run, cifs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    result = run("train", "mp", "--data", cifs, "--val", cifs, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "pip install 'xtalcodec[train]'" in result.output
