"""Training the paper's networks, on the fly and from a store."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from xtalcodec.codecs.base import Codec
from xtalcodec.datasets.field_store import FieldStore
from xtalcodec.datasets.generate import prepare, run
from xtalcodec.datasets.views import ViewsConfig
from xtalcodec.parallel import HERE
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCellConfig
from xtalcodec.representations.window_field import WindowConfig
from xtalcodec.training.loop import TrainingError, train
from xtalcodec.training.painted import PaintedViews
from xtalcodec.training.recipe import load

SMALL = ["codec.network.scale=0.03", "optimiser.steps=3", "optimiser.patches=3", "optimiser.warmup=1", "sample=2"]
UNIT = UnitCellConfig(patches=1, skin=0.0, reach=5.7).open()


@pytest.fixture(scope="module")
def crystals(prototypes):
    return [c for c in prototypes if len(c) < 6][:10]


@pytest.fixture(scope="module")
def store(tmp_path_factory, crystals):
    path = tmp_path_factory.mktemp("painted") / "s.zarr"
    config = ViewsConfig(UnitCellConfig(), views=2, shard=8)
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


def test_what_a_step_shows_is_what_is_in_the_views(store, crystals):
    views = PaintedViews(store, UNIT, 0.0, 4, 30)
    assert views.drawn == (len(views), 4)
    assert views.elements == {z for c in crystals if c.elements[-1] <= 30 for z in c.elements}


def test_held_out_crystals_are_left_out(store):
    assert 0 < len(PaintedViews(store, UNIT, 0.5, 4, 100)) < len(FieldStore(store))
    with pytest.raises(ValueError, match="no view to learn from"):
        PaintedViews(store, UNIT, 1.0, 4, 100)


def field(**changes):
    return replace(UnitCellConfig().window, **changes)


@pytest.mark.parametrize(
    ("painted", "reasons"),
    [
        ({"representation": UnitCellConfig(window=field(edge=9.0))}, ["window.edge is 9.0 there, 10.0 in the codec"]),
        ({"representation": UnitCellConfig(window=field(points=20))}, ["window.points is 20 there, 30 in the codec"]),
        ({"representation": UnitCellConfig(window=field(sigma=0.5))}, ["window.sigma is 0.5 there, 1.0 in the codec"]),
        (
            {"representation": UnitCellConfig(window=field(label_radius=0.5))},
            ["window.label_radius is 0.5 there, 0.667 in the codec"],
        ),
        ({"images": "nearest"}, ["images is 'nearest' there, 'all' in the codec"]),
        ({"representation": UnitCellConfig(cell="given")}, ["cell is 'given' there, 'compact' in the codec"]),
        (
            {"representation": UnitCellConfig(window=field(edge=11.0, sigma=0.9), cell="given"), "images": "nearest"},
            ["window.edge is 11.0", "window.sigma is 0.9", "cell is 'given'", "images is 'nearest'"],
        ),
        (
            {"representation": RepeatingConfig()},
            [
                "name is 'repeating' there, 'unit_cell' in the codec",
                "cell is None there, 'compact' in the codec",
                "window.label_radius is 0.65 there, 0.667",
            ],
        ),
        ({"ties": "coin"}, ["ties is 'coin' there, 'nearest' in the codec"]),
    ],
    ids=["edge", "points", "sigma", "label_radius", "images", "cell", "several", "representation", "ties"],
)
def test_training_refuses_a_store_painted_otherwise_and_names_every_difference(tmp_path, crystals, painted, reasons):
    path = tmp_path / "s.zarr"
    run(prepare(path, crystals[:2], ViewsConfig(**painted, views=1), HERE), HERE)
    with pytest.raises(ValueError, match="views that this codec would paint otherwise: ") as caught:
        train(load("hoffmann-narrow", SMALL), crystals, crystals[:1], tmp_path / "run", device="cpu", store=path)
    told = str(caught.value).partition("otherwise: ")[2].split("; ")
    assert all(any(x.startswith(reason) for x in told) for reason in reasons)
    assert len(told) == len(reasons)


@pytest.mark.parametrize(
    ("painted", "codec", "differ"),
    [
        (RepeatingConfig(rotate=False), RepeatingConfig(rotate=True), "rotate is False there, True in the codec"),
        (
            RepeatingConfig(fits="shortest_edge"),
            RepeatingConfig(),
            "fits is 'shortest_edge' there, 'every_site' in the codec",
        ),
    ],
)
def test_repeating_views_of_another_rule_are_refused(tmp_path, crystals, painted, codec, differ):
    run(prepare(tmp_path / "s.zarr", crystals[:2], ViewsConfig(painted, views=1), HERE), HERE)
    with pytest.raises(ValueError, match=f"otherwise: {differ}$"):
        PaintedViews(tmp_path / "s.zarr", codec.open(), 0.0, 4, 100)
    assert len(PaintedViews(tmp_path / "s.zarr", painted.open(), 0.0, 4, 100)) == 2


def test_a_store_of_release_0_1_is_of_given_cells(store):
    from xtalcodec.training.painted import _check_painted_alike

    settings = FieldStore(store, []).settings
    representation = {k: v for k, v in settings["representation"].items() if k != "cell"}
    old = {"representation": representation, "images": "all", "ties": "nearest"}
    _check_painted_alike(store, old, UnitCellConfig(cell="given").open())
    with pytest.raises(ValueError, match=r"otherwise: cell is 'given' there, 'compact' in the codec$"):
        _check_painted_alike(store, old, UNIT)


def test_a_store_is_for_networks_that_learn_from_one(tmp_path, crystals, store):
    with pytest.raises(TrainingError, match="a store of painted views is for the paper's networks"):
        train(load("mp"), crystals, crystals[:1], tmp_path, device="cpu", store=store)


def test_what_the_network_cannot_tell_is_passed_over(store):
    views = PaintedViews(store, UNIT, 0.0, 8, 40)
    assert views.batch([1, 2])[0].species_map.max() <= 40


@pytest.mark.slow
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
    assert (optimiser.kind, optimiser.lr_sgd, optimiser.momentum, optimiser.patches) == ("sgd", 1e-7, 0.5, 18)
    assert (optimiser.epochs, optimiser.decay, optimiser.warmup, optimiser.clip) == (100, False, 0, 0)
    network = recipe.codec.network
    assert (network.scale, network.latent, network.species) == (1, 300, 95)
    assert (network.kl_weight, network.segmentation_weight) == (5, 0.1)
    assert recipe.codec.representation.window == WindowConfig(label_radius=0.667)


@pytest.mark.slow
def test_a_training_can_start_from_another_codec(tmp_path, crystals):
    start = Codec.from_pretrained("mp-unit-cell")
    words = ["start=mp-unit-cell", "codec.network.encoder_layers=2", "codec.network.decoder_layers=4"]
    words += [
        "codec.network.noise=0",
        "optimiser.steps=1",
        "optimiser.lr_muon=0",
        "optimiser.lr_adamw=0",
        "optimiser.patches=125",
        "sample=0",
    ]
    codec = train(load("mp-unit-cell", words), crystals, crystals[:1], tmp_path / "a", device="cpu")
    for name, weight in start.network.state_dict().items():
        assert torch.equal(codec.network.state_dict()[name], weight), name
    with pytest.raises(TrainingError, match="no weight of the codec to start from fits"):
        train(load("hoffmann-narrow", [*SMALL, "start=mp"]), crystals, crystals[:1], tmp_path / "b", device="cpu")


def test_views_are_of_the_representation_asked_for():
    assert np.isclose(RepeatingConfig().window.label_radius, 0.65)
    assert np.isclose(UnitCellConfig().window.label_radius, 0.667)
