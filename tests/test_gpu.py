"""What a graphics card must do as the processor does: `pytest -m gpu` verifies a machine that has one."""

import numpy as np
import pytest
import torch

from xtalcodec import Codec
from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs.hub import pretrained
from xtalcodec.codecs.misfit import deviation
from xtalcodec.networks.torus_transformer import Attention, LayerBias, displacements
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.window_field import ViewBatch, WindowConfig, density, density_nearest, species_map

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


@pytest.fixture(scope="module")
def views(prototypes):
    """Windows on a few prototypes."""
    window, rng = RepeatingConfig().open(), np.random.default_rng(0)
    return [window.view(c, rng) for c in prototypes[:200:20] if np.linalg.norm(c.lattice, axis=1).max() < 6]


@pytest.mark.parametrize("field", [density, density_nearest, species_map])
def test_fields_are_the_processors(views, field):
    here, there = (field(ViewBatch.collate(views, device), WindowConfig()).cpu() for device in ("cpu", "cuda"))
    assert torch.allclose(here.float(), there.float(), atol=1e-3 if field is species_map else 1e-4)


def test_attention_is_the_processors():
    torch.manual_seed(0)
    attention = Attention(24, 2)
    x, values = torch.randn(3, 12, 24), torch.randn(2, 12)
    here = attention(x, LayerBias(values, (3, 2, 2)))
    there = attention.cuda()(x.cuda(), LayerBias(values.cuda(), (3, 2, 2))).cpu()
    assert torch.allclose(here, there, atol=1e-4)


def test_displacements_live_on_the_device():
    assert all(x.is_cuda for x in displacements((2, 3, 1), torch.device("cuda")))


@pytest.mark.parametrize("name", pretrained())
def test_codecs_in_the_box_decode_as_on_the_processor(name, prototypes):
    here, there = Codec.from_pretrained(name), Codec.from_pretrained(name, device="cuda")
    assert here.identity == there.identity
    crystals = [c for c in prototypes[::24] if set(c.numbers) <= set(here.config.elements) and len(c) < 9]
    latents = there.encode(crystals, refine=False)
    for a, b in zip(here.decode_crystals(latents), there.decode_crystals(latents), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert deviation(a.crystal, FoundAtoms.known(b.crystal.frac_coords, b.crystal.numbers)) < 1e-3


@pytest.mark.parametrize("recipe", ["mp", "hoffmann-narrow"])
def test_a_training_learns(recipe, prototypes, tmp_path):
    from xtalcodec.training.loop import train
    from xtalcodec.training.recipe import load

    small = ["optimiser.steps=20", "sample=4"]
    small += ["codec.network.width=24", "codec.network.heads=2"] if recipe == "mp" else ["codec.network.scale=0.03"]
    codec = train(load(recipe, small), prototypes[:60], prototypes[60:70], tmp_path, device="cuda")
    assert codec.device.type == "cuda"
    assert Codec.from_pretrained(tmp_path).identity == codec.identity
