import json
from dataclasses import asdict, replace

import pytest
import yaml

from xtalcodec.config import SettingsError
from xtalcodec.training.recipe import Recipe, available, load


def test_there_are_recipes():
    assert "mp" in available()


@pytest.mark.parametrize("name", available())
def test_every_shipped_recipe_loads_under_its_name(name):
    recipe = load(name)
    assert recipe.codec.name == name
    assert recipe.augment.species <= recipe.codec.network.species or not recipe.augment.substitute
    if recipe.codec.network.kind == "patch":
        assert recipe.codec.network.width % recipe.codec.network.heads == 0


def test_words_lie_on_top_of_a_recipe():
    recipe = load("mp", ["optimiser.lr_adamw=1e-3", "codec.network.width=96", "seed=7", "precision=fp32"])
    assert recipe.optimiser.lr_adamw == 1e-3
    assert recipe.codec.network.width == 96
    assert (recipe.seed, recipe.precision) == (7, "fp32")
    assert replace(recipe, optimiser=load("mp").optimiser).optimiser == load("mp").optimiser
    assert recipe.codec.name == "mp"


def test_a_file_is_a_recipe_too(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("codec: {name: mine}\nseed: 3\noptimiser:\n  steps: 10\n")
    assert load(str(path), ["seed=4"]) == replace(load(str(path)), seed=4)
    assert load(str(path)).codec.name == "mine"
    assert load(str(path)).optimiser.steps == 10
    path.write_text("")
    assert load(str(path)) == Recipe()


def test_a_recipe_survives_being_written_down(tmp_path):
    recipe = load("mp", ["codec.elements=[1, 8]", "augment.jitter=0.5"])
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(asdict(recipe)))))
    assert load(str(path)) == recipe


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["optimiser.step=3"], r"no setting 'optimiser\.step'; have .*Did you mean 'optimiser\.steps'\?"),
        (["sed=3"], r"no setting 'sed'; have .*Did you mean 'seed'\?"),
        (["codec.network.widht=3"], r"Did you mean 'codec\.network\.width'\?"),
        (["seed=much"], "seed: input should be a valid integer, not 'much'"),
        (["codec=mp"], "codec is a group of settings, not 'mp'"),
        (["seed"], "'seed' is not key=value"),
    ],
)
def test_a_wrong_setting_is_named(words, message):
    with pytest.raises(SettingsError, match=message):
        load("mp", words)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"codec: [1\n", "cannot be read as YAML.*line 2"),
        (b"\xff\xfe", "cannot be read as YAML"),
        (b"3", "no settings"),
    ],
)
def test_a_file_that_is_no_recipe_is_named(tmp_path, content, reason):
    (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(SettingsError, match=rf"mine\.yaml .*{reason}"):
        load(str(tmp_path / "mine.yaml"))


def test_an_unknown_key_in_a_file_is_named(tmp_path):
    (tmp_path / "mine.yaml").write_text("loss:\n  lk: 1.0e-5\n")
    with pytest.raises(SettingsError, match=r"no setting 'loss\.lk'; have loss\.blur, loss\.kl"):
        load(str(tmp_path / "mine.yaml"))


OLD = """
codec:
  name: mine
  space: {kind: unit_cell, patches: 4}
  sites: {nearest: 0.2}
objective: {kl: 1.0e-4}
optimiser: {muon: 0.03, adamw: 1.0e-3, head: 0.1, sgd: 1.0e-6, steps: 10}
"""
NEW = """
codec:
  name: mine
  representation: {kind: unit_cell, patches: 4}
  atom_finder: {nearest: 0.2}
loss: {kl: 1.0e-4}
optimiser: {lr_muon: 0.03, lr_adamw: 1.0e-3, lr_head: 0.1, lr_sgd: 1.0e-6, steps: 10}
"""


def test_keys_of_earlier_releases_are_understood_with_a_note(tmp_path):
    for name, text in (("old", OLD), ("new", NEW)):
        (tmp_path / f"{name}.yaml").write_text(text)
    notes = []
    assert load(str(tmp_path / "old.yaml"), note=notes.append) == load(str(tmp_path / "new.yaml"))
    assert sorted(notes) == [
        "codec.sites is called codec.atom_finder now",
        "codec.space is called codec.representation now",
        "objective is called loss now",
        "optimiser.adamw is called optimiser.lr_adamw now",
        "optimiser.head is called optimiser.lr_head now",
        "optimiser.muon is called optimiser.lr_muon now",
        "optimiser.sgd is called optimiser.lr_sgd now",
    ]
    load(str(tmp_path / "new.yaml"), note=pytest.fail)


@pytest.mark.parametrize("file", [OLD, NEW], ids=["old", "new"])
def test_words_lie_on_a_file_whichever_of_them_has_old_keys(tmp_path, file):
    path, notes = tmp_path / "mine.yaml", []
    path.write_text(file)
    words = ["codec.space.kind=repeating", "optimiser.muon=0.5", "codec.representation.patches=3", "objective.kl=0"]
    recipe = load(str(path), words, notes.append)
    assert (recipe.codec.representation.kind, recipe.codec.representation.patches) == ("repeating", 3)
    assert (recipe.optimiser.lr_muon, recipe.optimiser.lr_adamw, recipe.loss.kl) == (0.5, 1e-3, 0)
    for note in ("codec.space is called codec.representation now", "optimiser.muon is called optimiser.lr_muon now"):
        assert note in notes


def test_a_file_with_an_old_key_beside_the_new_one_is_refused(tmp_path):
    (tmp_path / "mine.yaml").write_text("loss: {kl: 1.0e-4}\nobjective: {blur: 0.0}\n")
    with pytest.raises(SettingsError, match="objective is the old name of loss: give one of them"):
        load(str(tmp_path / "mine.yaml"))


def test_an_unknown_recipe_gets_the_list_and_a_guess():
    with pytest.raises(FileNotFoundError, match=r"no recipe 'mpp'; have .*mp.*Did you mean 'mp'\? A YAML file"):
        load("mpp")
