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
        assert recipe.codec.network.patch == recipe.codec.representation.patch
        assert recipe.codec.network.width % recipe.codec.network.heads == 0


def test_words_lie_on_top_of_a_recipe():
    recipe = load("mp", ["optimiser.adamw=1e-3", "codec.network.width=96", "seed=7", "precision=fp32"])
    assert recipe.optimiser.adamw == 1e-3
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
        (["seed=much"], "seed takes a int, not 'much'"),
        (["codec=mp"], "codec is a group of settings, not 'mp'"),
        (["seed"], "'seed' is not key=value"),
    ],
)
def test_a_wrong_setting_is_named(words, message):
    with pytest.raises(SettingsError, match=message):
        load("mp", words)


def test_an_unknown_key_in_a_file_is_named(tmp_path):
    (tmp_path / "mine.yaml").write_text("objective:\n  lk: 1.0e-5\n")
    with pytest.raises(SettingsError, match=r"no setting 'objective\.lk'; have objective\.blur, objective\.kl"):
        load(str(tmp_path / "mine.yaml"))


def test_an_unknown_recipe_gets_the_list_and_a_guess():
    with pytest.raises(FileNotFoundError, match=r"no recipe 'mpp'; have .*mp.*Did you mean 'mp'\? A YAML file"):
        load("mpp")
