"""Training the paper's networks, on the fly and from a store."""

import json

import numpy as np
import pytest
import torch

from xtalcodec.codecs.base import Codec
from xtalcodec.datasets.field_store import FieldStore
from xtalcodec.datasets.generate import prepare, run
from xtalcodec.datasets.views import ViewsConfig
from xtalcodec.parallel import InProcess, Pool
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCellConfig
from xtalcodec.representations.window_field import WindowConfig
from xtalcodec.training.loop import TrainingError, train
from xtalcodec.training.painted import PaintedViews
from xtalcodec.training.recipe import load

SMALL = ["codec.network.scale=0.03", "optimiser.steps=3", "optimiser.patches=3", "optimiser.warmup=1", "sample=2"]
UNIT = UnitCellConfig(patches=1, skin=0.0, reach=5.7)
HERE = Pool(InProcess(), 1)


@pytest.fixture(scope="module")
def crystals(prototypes):
    return [c for c in prototypes if len(c) < 6][:10]


@pytest.fixture(scope="module")
def store(tmp_path_factory, crystals):
    path = tmp_path_factory.mktemp("painted") / "s.zarr"
    config = ViewsConfig(UnitCellConfig(WindowConfig(label_radius=0.667)), views=2, shard=8)
    run(prepare(path, crystals, config, HERE), HERE)
    return path


def test_batches_are_rows_of_the_store_and_follow_from_the_seed(store):
    views = PaintedViews(store, UNIT, 0.0, 4, 100)
    first, patches = views.batch([0, 1, 2])
    again, _ = views.batch([0, 1, 2])
    other, _ = views.batch([0, 1, 3])
    assert patches == (1, 1, 1)
    assert torch.equal(first.density, again.density)
    assert not torch.equal(first.density, other.density)
    rows = [FieldStore(store)[k] for k in range(len(views))]
    for density, species in zip(first.density, first.species_map, strict=True):
        assert any(torch.equal(density, r["density"]) and torch.equal(species, r["species_map"]) for r in rows)


def test_held_out_crystals_are_left_out(store):
    assert 0 < len(PaintedViews(store, UNIT, 0.5, 4, 100)) < len(FieldStore(store))
    with pytest.raises(ValueError, match="no view to learn from"):
        PaintedViews(store, UNIT, 1.0, 4, 100)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (RepeatingConfig(), "holds views of 'unit_cell'; the codec is of 'repeating'"),
        (UnitCellConfig(WindowConfig(points=20)), "the codec takes 20 an axis"),
    ],
)
def test_a_store_of_something_else_is_refused(store, config, reason):
    with pytest.raises(ValueError, match=reason):
        PaintedViews(store, config, 0.0, 4, 100)


def test_what_the_network_cannot_tell_is_passed_over(store):
    views = PaintedViews(store, UNIT, 0.0, 8, 40)
    assert views.batch([1, 2])[0].species_map.max() <= 40


@pytest.mark.parametrize("painted", [True, False])
def test_the_papers_networks_learn_from_a_store_and_on_the_fly(tmp_path, crystals, store, painted):
    recipe = load("hoffmann-narrow", SMALL)
    codec = train(recipe, crystals, crystals[:2], tmp_path, device="cpu", store=store if painted else None)
    (line,) = [json.loads(x) for x in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert line["val/density_mse_50"] > 0
    back = Codec.from_pretrained(tmp_path)
    assert back.config == codec.config
    assert back.encode(crystals[:1])[0].z.shape == (1, 300)


def test_the_paper_to_the_letter_is_a_recipe():
    recipe = load("hoffmann-paper")
    optimiser = recipe.optimiser
    assert (optimiser.kind, optimiser.sgd, optimiser.momentum, optimiser.patches) == ("sgd", 1e-7, 0.5, 18)
    assert (optimiser.epochs, optimiser.decay, optimiser.warmup, optimiser.clip) == (100, False, 0, 0)
    network = recipe.codec.network
    assert (network.scale, network.latent, network.species) == (1, 300, 95)
    assert (network.kl_weight, network.segmentation_weight) == (5, 0.1)
    assert recipe.codec.representation.window == WindowConfig(label_radius=0.667)


def test_a_training_can_start_from_another_codec(tmp_path, crystals, mp):
    words = ["optimiser.steps=1", "optimiser.muon=0", "optimiser.adamw=0", "optimiser.patches=125", "sample=0"]
    codec = train(load("mp-unit-cell", words), crystals, crystals[:1], tmp_path / "a", device="cpu")
    for name, weight in mp.network.state_dict().items():
        assert torch.equal(codec.network.state_dict()[name], weight), name
    with pytest.raises(TrainingError, match="no weight of the codec to start from fits"):
        train(load("hoffmann-narrow", [*SMALL, "start=mp"]), crystals, crystals[:1], tmp_path / "b", device="cpu")


def test_views_are_of_the_representation_asked_for():
    assert np.isclose(RepeatingConfig().window.label_radius, 0.65)
    assert np.isclose(UnitCellConfig().window.label_radius, 0.667)
