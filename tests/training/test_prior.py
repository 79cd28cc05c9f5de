"""Training of flows."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.config import SettingsError
from xtalcodec.crystal import Crystal
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.priors.flow.crystals import FlowCrystals
from xtalcodec.priors.flow.prior import FlowPrior
from xtalcodec.representations.periodic import PeriodicConfig
from xtalcodec.training.flow_losses import FlowLoss, HeldOut
from xtalcodec.training.optimisers import OptimiserConfig
from xtalcodec.training.prior import train_prior
from xtalcodec.training.prior_recipe import available, load
from xtalcodec.training.stepping import TrainingError

CELL = 4 * (np.ones((3, 3)) - np.eye(3)) / np.sqrt(2)
SALTS = [
    Crystal((1 + 0.02 * k) * CELL, np.array([[0.1, 0, 0], [0.6, 0.5, 0.5]]), np.array([a, x]), f"{a}-{x}")
    for k, (a, x) in enumerate([(11, 17), (19, 35), (3, 9), (37, 53)])
]
WORDS = ["flow.width=16", "flow.heads=2", "flow.layers=1", "flow.cell_width=16", "flow.cell_layers=1"]
WORDS += ["flow.composition_width=16", "flow.composition_layers=1", "optimiser.patches=64", "optimiser.warmup=1"]


@pytest.fixture(scope="module")
def codec(tmp_path_factory):
    torch.manual_seed(0)
    network = PatchConfig(width=24, heads=2, encoder_layers=1, decoder_layers=1, noise=0.5)
    folder = tmp_path_factory.mktemp("codec")
    open_codec(CodecConfig("tiny", PeriodicConfig(), network)).save_pretrained(folder)
    return folder


def recipe(codec, *words):
    return load("mp", [*WORDS, f"codec={codec}", "precision=fp32", "sample=0", *words])


def same(a: FlowPrior, b: FlowPrior) -> bool:
    other = b.network.state_dict()
    return all(torch.equal(value, other[name]) for name, value in a.network.state_dict().items())


@pytest.mark.parametrize("name", available())
def test_recipes_that_ship_are_read(name):
    assert load(name).flow.most_sites > 0
    with pytest.raises(SettingsError, match=r"flow\.widht"):
        load(name, ["flow.widht=3"])


def test_compositions_and_cells_are_trained_alone(codec, tmp_path):
    first = train_prior(recipe(codec, "optimiser.steps=2"), SALTS, tmp_path / "first")
    words = "optimiser.steps=4", "latents=false", "average=0", f"start={tmp_path / 'first' / 'last'}"
    second = train_prior(recipe(codec, *words), SALTS, tmp_path / "second")
    before, after = (prior.network.state_dict() for prior in (FlowPrior.load(tmp_path / "first" / "last"), second))
    changed = {name.split(".")[0] for name, value in after.items() if not torch.equal(before[name], value)}
    assert changed == {"cells", "compositions"}
    assert len(first.about.elements) == len(second.about.elements)


def test_epochs_count_crystals(codec, tmp_path):
    """A step shows as many crystals as fit, each several times, and 256 cells where it shows cells alone."""

    def steps(name, *words):
        train_prior(recipe(codec, *words), SALTS, tmp_path / name)
        return json.loads((tmp_path / name / "last" / "training.json").read_text())["step"]

    together = int(FlowCrystals(Codec.from_pretrained(codec), SALTS, recipe(codec).flow, 64).grids.drawn)
    assert together > 4
    assert steps("latents", f"optimiser.epochs={3 * together / 4}") == 3
    start = f"start={tmp_path / 'latents' / 'last'}"
    assert steps("cells", "optimiser.epochs=128", "latents=false", start) == 2


def test_latents_are_trained_alone_and_cells_anew(codec, tmp_path):
    first = train_prior(recipe(codec, "optimiser.steps=2"), SALTS, tmp_path / "first")
    start = f"start={tmp_path / 'first' / 'last'}"
    before = FlowPrior.load(tmp_path / "first" / "last").network.state_dict()

    def changed(name, *words):
        found = train_prior(recipe(codec, start, "average=0", *words), SALTS, tmp_path / name).network.state_dict()
        return {key.split(".")[0] for key, value in found.items() if not torch.equal(before[key], value)}

    assert changed("latents", "optimiser.steps=4", "cells=false") == {"latents"}
    assert changed("anew", "optimiser.steps=0", "seed=1", "anew=true") == {"cells", "compositions"}
    with pytest.raises(TrainingError, match="leave nothing to learn"):
        train_prior(recipe(codec, "latents=false", "cells=false"), SALTS, tmp_path / "nothing")
    with pytest.raises(TrainingError, match="is for a training with start=FOLDER"):
        train_prior(recipe(codec, "anew=true"), SALTS, tmp_path / "nothing")
    assert first.about.config.dropout == 0.1, "the recipe's"


def test_losses_of_held_out_crystals_are_noted(codec, tmp_path):
    """Of the networks that learn, and the same for the same weights, whatever dropout leaves out in training."""
    words = "optimiser.steps=0", "flow.dropout=0.5"
    noted = []
    for name, more in (("one", ()), ("two", ()), ("three", ("cells=false",)), ("four", ("latents=false",))):
        train_prior(recipe(codec, *words, *more), SALTS[:2], tmp_path / name, held_out=SALTS[2:])
        line = json.loads((tmp_path / name / "curve.jsonl").read_text().splitlines()[-1])
        noted.append({key: value for key, value in line.items() if "/" in key})
    assert set(noted[0]) == {"held_out/latents", "held_out/cells", "held_out/compositions"}
    assert noted[0] == noted[1]
    assert set(noted[2]) == {"held_out/latents"}
    assert set(noted[3]) == {"held_out/cells", "held_out/compositions"}


def test_a_training_starts_from_the_weights_of_another_of_the_same_latents(codec, tmp_path):
    first = train_prior(recipe(codec, "optimiser.steps=3"), SALTS, tmp_path / "first")
    start = f"start={tmp_path / 'first' / 'last'}"
    second = train_prior(recipe(codec, "optimiser.steps=0", start), SALTS, tmp_path / "second")
    assert same(second, FlowPrior.load(tmp_path / "first" / "last"))
    assert not same(
        second, FlowPrior.untrained(FlowCrystals(Codec.from_pretrained(codec), SALTS, first.about.config, 64), 0)
    )
    with pytest.raises(TrainingError, match="other sizes"):
        train_prior(recipe(codec, "flow.layers=2", start), SALTS, tmp_path / "third")


def test_a_training_that_is_resumed_ends_where_one_does_that_is_not(codec, tmp_path):
    words = "flow.dropout=0.2", "optimiser.decay=false"
    held_out = {"held_out": SALTS[:2]}
    whole = train_prior(recipe(codec, "optimiser.steps=4", *words), SALTS, tmp_path / "whole", **held_out)
    torch.rand(3)
    again = train_prior(recipe(codec, "optimiser.steps=4", *words), SALTS, tmp_path / "again", **held_out)
    assert same(whole, again)
    short = recipe(codec, "optimiser.steps=2", *words)
    train_prior(short, SALTS, tmp_path / "parts", **held_out)
    text = (tmp_path / "parts/recipe.yaml").read_text().replace("steps: 2\n", "steps: 4\n")
    (tmp_path / "parts/recipe.yaml").write_text(text)
    longer = replace(short, optimiser=replace(short.optimiser, steps=4))
    assert isinstance(longer.optimiser, OptimiserConfig)
    resumed = train_prior(longer, SALTS, tmp_path / "parts", resume=True, **held_out)
    assert same(resumed, whole)
    assert FlowPrior.load(tmp_path / "parts/last").crystals == 4
    with pytest.raises(TrainingError, match="already holds a training"):
        train_prior(longer, SALTS, tmp_path / "parts")
    for data, others, named in ((SALTS[:3], SALTS[:2], "--data"), (SALTS, SALTS[:3], "--val"), (SALTS, [], "--val")):
        with pytest.raises(TrainingError, match=f"was begun with another {named}; resume with the same"):
            train_prior(longer, data, tmp_path / "parts", held_out=others, resume=True)


@pytest.mark.parametrize("part", ["", "best", "last"])
def test_a_prior_without_a_training_to_go_on_with_is_not_overwritten(codec, tmp_path, part):
    own = recipe(codec)
    FlowPrior.untrained(FlowCrystals(Codec.from_pretrained(codec), SALTS, own.flow, 64), 0).save(tmp_path / part)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    with pytest.raises(TrainingError, match="holds a prior already: name another folder"):
        train_prior(own, SALTS, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_samples_are_judged_and_the_best_prior_kept(codec, tmp_path):
    train_prior(recipe(codec, "optimiser.steps=1", "sample=3"), SALTS, tmp_path / "run")
    best = FlowPrior.load(tmp_path / "run/best")
    assert len(best.sample(2)) == 2
    assert '"good"' in (tmp_path / "run/best/training.json").read_text()
    assert "samples/as_planned" in (tmp_path / "run/curve.jsonl").read_text()


def test_held_out_crystals_and_samples_are_judged_once_at_a_step(codec, tmp_path):
    own = recipe(codec, "optimiser.steps=2", "checkpoint_minutes=0", "sample=1")
    for resume in (False, True):
        train_prior(own, SALTS, tmp_path, held_out=SALTS[:2], resume=resume)
        rows = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
        assert [row["step"] for row in rows if "held_out/latents" in row] == [1, 2]
        assert [row["step"] for row in rows if "samples/good" in row] == [2]


def test_of_each_network_the_weights_are_kept_that_did_best_on_held_out_crystals(codec, monkeypatch):
    own = recipe(codec)
    source = FlowCrystals(Codec.from_pretrained(codec), SALTS, own.flow, 64)
    network = FlowPrior.untrained(source, 0).network
    watch = HeldOut(source, own, network)
    losses = {"compositions": [3.0, 1.0, 2.0], "cells": [1.0, 2.0, 3.0], "latents": [3.0, 2.0, 1.0]}
    for k in range(3):
        told = {name: torch.tensor(values[k]) for name, values in losses.items()}
        monkeypatch.setattr(FlowLoss, "forward", lambda *_, told=told: told)
        with torch.no_grad():
            for weights in network.parameters():
                weights.fill_(k)
        noted = watch.look(network, Accelerator(cpu=True))
        assert noted == {name: values[k] for name, values in losses.items()}
    best = {name: {weights.mean().item() for weights in getattr(watch.kept, name).parameters()} for name in losses}
    assert best == {"compositions": {1.0}, "cells": {0.0}, "latents": {2.0}}
    assert watch.least == {"compositions": 1.0, "cells": 1.0, "latents": 1.0}
