"""The paper's networks on 16³ points as a codec: densities on the paper's points, atoms, stores."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import LossConfig
from xtalcodec.codecs.windows import decode_densities
from xtalcodec.config import SettingsError
from xtalcodec.crystal import Crystal
from xtalcodec.datasets.generate import prepare, run
from xtalcodec.datasets.views import ViewsConfig
from xtalcodec.evaluation.windows import measure, window_summary
from xtalcodec.parallel import HERE
from xtalcodec.training.loop import train
from xtalcodec.training.recipe import load

SALT = Crystal(
    4 * (np.ones((3, 3)) - np.eye(3)) / np.sqrt(2), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([11, 17]), "salt"
)
SMALL = ["codec.network.scale=0.125", "optimiser.steps=3", "optimiser.patches=3", "optimiser.warmup=1", "sample=2"]
LINEAR = 2e-3
"""(e/Å³)²: what 300 modes leave of a light cell, and resampling of 16³ points."""


@pytest.fixture(scope="module")
def codec():
    torch.manual_seed(0)
    recipe = load("hoffmann-unit-cell", SMALL)
    return open_codec(replace(recipe.codec, elements=tuple(range(1, 95))))


def test_densities_are_on_the_papers_points_and_networks_on_their_own(codec):
    latents = codec.encode([SALT])
    (density,) = decode_densities(codec, latents)
    assert density.shape == (30, 30, 30)
    placed = codec.place(SALT).crystal.translated(latents[0].origin)
    true = codec.window.true_density(placed)
    assert np.mean((density - true) ** 2) < LINEAR
    assert density.min() >= 0
    assert codec.canvas.field.points == codec.network.window.points == 16
    np.testing.assert_allclose(
        codec.encode_density(torch.from_numpy(true)[None]).mean[0].detach(), latents[0].z, atol=1e-3
    )


def test_an_untrained_codec_reads_the_linear_code(codec):
    """Before anything is learnt there is no segmentation, and least squares find the atoms alone."""
    codec.find_by("density")
    scores = window_summary(measure(codec, [SALT], refine=False))
    assert scores["count_per_window"] == scores["species_per_atom"] == 1
    codec.find_by("both")
    assert window_summary(measure(codec, [SALT], refine=False))["species_per_atom"] == 1
    codec.find_by("segmentation")
    assert window_summary(measure(codec, [SALT], refine=False))["species_per_atom"] == 0


def test_paint_is_exact_where_products_are_reduced(codec, monkeypatch):
    placed = codec.place(SALT)
    batch = codec.representation.collate([placed.crystal.translated(codec.representation.origin(placed.crystal, 0))])
    seen = []
    monkeypatch.setattr(codec, "loss_of_painted", lambda painted: (seen.append(painted.density), ({}, {}))[1])
    codec.loss(batch, placed.patches, LossConfig())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        codec.loss(batch, placed.patches, LossConfig())
    assert torch.equal(*seen)


@pytest.mark.parametrize("name", ["hoffmann-unit-cell", "hoffmann-repeating", "hoffmann"])
def test_recipes_begin_at_the_linear_code_of_their_window(name):
    config = load(name).codec
    assert config.network.points == 16
    assert config.network.reader == "both"
    expected = {"unit_cell": "modes", "repeating": "lattice"}
    assert config.network.compact.shortcut == expected[config.representation.kind]


def test_windows_that_repeat_are_told_their_lattice(prototypes):
    """Before anything is learnt they are their structure factors, and least squares find the sites of the cell."""
    torch.manual_seed(0)
    recipe = load("hoffmann-repeating", SMALL)
    codec = open_codec(replace(recipe.codec, elements=tuple(range(1, 95))))
    codec.find_by("density")
    scores = window_summary(measure(codec, [SALT, *prototypes[3:5]], refine=False))
    assert scores["count_per_window"] == scores["species_per_atom"] == 1
    assert scores["density_mse_percentiles"]["80"] < 1e-4
    alone = window_summary(measure(codec, [SALT], refine=False, from_density=True))
    assert alone["count_per_window"] == 1
    with pytest.raises(SettingsError, match=r"shortcut=lattice is for windows that repeat"):
        open_codec(load("hoffmann-unit-cell", ["codec.network.compact.shortcut=lattice"]).codec)


def paint(path, recipe, crystals, points):
    """A store of one view of each crystal, as a recipe sees them but on other points."""
    window = recipe.codec.representation
    window = replace(window, window=replace(window.window, points=points))
    here = HERE
    run(prepare(path, crystals, ViewsConfig(window, views=1), here), here)
    return path


@pytest.mark.parametrize("name", ["hoffmann-unit-cell", "hoffmann-repeating"])
def test_training_from_a_store_on_sixteen_points(tmp_path, prototypes, name):
    """A store tells the lattices too."""
    crystals, recipe = [c for c in prototypes if len(c) < 6][:6], load(name, SMALL)
    store = paint(tmp_path / "s.zarr", recipe, crystals, 16)
    train(recipe, crystals, crystals[:2], tmp_path / "run", device="cpu", store=store)
    (line,) = [json.loads(x) for x in (tmp_path / "run" / "curve.jsonl").read_text().splitlines()]
    assert 0 < line["val/density_mse_50"] < (1 if name == "hoffmann-unit-cell" else 0.01)


def test_a_store_on_other_points_is_refused(tmp_path, prototypes):
    crystals, recipe = prototypes[:2], load("hoffmann-unit-cell", SMALL)
    store = paint(tmp_path / "f.zarr", recipe, crystals, 30)
    with pytest.raises(ValueError, match=r"window\.points is 30 there, 16 in the codec"):
        train(recipe, crystals, crystals[:2], tmp_path / "other", device="cpu", store=store)
