"""Paths along a flow and variations, with flows that are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from xtalcodec.codecs.latents import CrystalCode
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.crystal import Crystal
from xtalcodec.latent_space.flows import _on_an_atom, along, check_known, variations
from xtalcodec.latent_space.paths import arc
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.priors.about import PriorError
from xtalcodec.priors.flow.carrying import carried
from xtalcodec.priors.flow.prior import FlowPrior
from xtalcodec.priors.flow.settings import FlowConfig, SamplerConfig
from xtalcodec.priors.gaussian import GaussianPrior
from xtalcodec.representations.periodic import PeriodicConfig
from xtalcodec.training.derived import supercell

CELL = 4 * (np.ones((3, 3)) - np.eye(3)) / np.sqrt(2)
SITES = np.array([[0.1, 0, 0], [0.6, 0.5, 0.5]])
SALTS = [Crystal((1 + 0.01 * k) * CELL, SITES, np.array([11, 17 + 18 * (k % 2)]), f"salt-{k}") for k in range(4)]
URANIUM = Crystal(CELL, SITES, np.array([92, 17]), "uranium")
SIZES = {"width": 16, "heads": 2, "layers": 1, "cell_width": 16, "cell_layers": 1, "composition_width": 16}


@pytest.fixture(scope="module")
def codec():
    torch.manual_seed(0)
    return open_codec(CodecConfig("tiny", PeriodicConfig(), PatchConfig(width=24, heads=2, noise=0.5)))


@pytest.fixture(scope="module")
def still(codec):
    """A flow that stands still, as an untrained one does: what is noise stays noise."""
    config = FlowConfig(**SIZES, composition_layers=1, most_sites=6, most_elements=3)
    flow = FlowPrior.fit(codec, SALTS, config, steps=0, batch_patches=64)
    return flow.sampled_by(SamplerConfig(steps=4))


def codes(still):
    rng = np.random.default_rng(0)
    mean = still.network.latent_mean.numpy()
    basis = np.eye(3, dtype=np.int64)
    rows = [mean + rng.standard_normal((8, len(mean))) for _ in range(2)]
    return [CrystalCode("c", row.astype(np.float32), (2, 2, 2), CELL, basis) for row in rows]


def test_a_path_along_a_flow_that_stands_still_is_the_arc_in_its_own_scale(still):
    a, b = codes(still)
    mean, deviation = still.network.latent_mean.numpy(), still.network.latent_deviation.numpy()
    scaled = [CrystalCode("c", (c.z - mean) / deviation, c.patches, c.lattice, c.basis) for c in (a, b)]
    shares = [0.0, 0.25, 0.5, 1.0]
    np.testing.assert_allclose(along(still)(a, b, shares), arc(*scaled, shares) * deviation + mean, atol=1e-4)


def test_there_and_back_is_where_one_was(codec):
    config = FlowConfig(**SIZES, composition_layers=1, most_sites=6, most_elements=3)
    flow = FlowPrior.fit(codec, SALTS, config, steps=20, rate=3e-3, batch_patches=64)
    flow = flow.sampled_by(SamplerConfig(steps=200, guidance=0.0))
    a, _ = codes(flow)
    noise = carried(flow.follower, a.z[None], CELL[None], a.patches, 1.0, 0.0)
    back = carried(flow.follower, noise, CELL[None], a.patches, 0.0, 1.0)
    assert abs(noise - (a.z - flow.network.latent_mean.numpy()) / flow.network.latent_deviation.numpy()).max() > 0.01
    np.testing.assert_allclose(back[0], a.z, atol=0.05)


def test_the_ends_of_a_path_are_the_ends(still):
    a, b = codes(still)
    found = along(still)(a, b, [0.0, 0.5, 1.0])
    np.testing.assert_array_equal(found[0], a.z)
    np.testing.assert_array_equal(found[-1], b.z)


def test_variations_are_as_near_as_asked(codec, still, monkeypatch):
    once = replace(codec.config, refine=replace(codec.config.refine, origins=1))
    monkeypatch.setattr(codec, "config", once)
    code = _on_an_atom(codec, SALTS[0])
    np.testing.assert_allclose(code.on_grid(SALTS[0]).frac_coords[0] % 1, 0, atol=1e-9)
    deviation = still.network.latent_deviation.numpy()
    far = {}
    for noise in (0.1, 0.5):
        made = variations(codec, still, SALTS[0], noise, 40, seed=2)
        far[noise] = np.sqrt(np.mean([((c.z - (1 - noise) * code.z) / deviation).std(0) ** 2 for c in made]))
        assert {c.noise for c in made} == {0.2}
        assert {c.patches for c in made} == {code.patches}
    assert far[0.5] > 3 * far[0.1]
    again = variations(codec, still, SALTS[0], 0.5, 3, seed=2)
    np.testing.assert_allclose(again[2].z, made[2].z, atol=1e-5)
    for noise in (0.0, 1.5):
        with pytest.raises(PriorError, match="noise is above 0 and at most 1"):
            variations(codec, still, SALTS[0], noise, 2)


def test_without_refinement_the_latent_is_the_encoders(codec, still):
    plain, refined = _on_an_atom(codec, SALTS[0], refine=False), _on_an_atom(codec, SALTS[0])
    assert abs(plain.z - refined.z).max() > 0.01
    (made,) = variations(codec, still, SALTS[0], 1e-6, 1, refine=False)
    np.testing.assert_allclose(made.z, plain.z, atol=1e-3)


def test_nothing_flows_in_a_normal_distribution(codec):
    prior = GaussianPrior.fit(codec, SALTS)
    with pytest.raises(PriorError, match=r"this takes a flow .*, not a normal distribution"):
        along(prior)


def test_what_the_flow_never_saw_is_not_varied(codec, still):
    shared = replace(SALTS[0], occupancies=0.5 * (SALTS[0].shares() + SALTS[1].shares()))
    for crystal, message in (
        (supercell(SALTS[0], np.array([2, 2, 1])), "salt-0.*: 8 sites are asked for"),
        (URANIUM, "uranium: the prior never saw U"),
        (shared, "salt-0 has shared or partly empty sites"),
    ):
        with pytest.raises(PriorError, match=message):
            variations(codec, still, crystal, 0.3, 2)
        with pytest.raises(PriorError, match=message):
            check_known(still, SALTS[1], crystal)
    check_known(still, *SALTS)
