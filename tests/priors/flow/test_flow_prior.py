"""Flows of crystals: batches, samples, files."""

import copy
import json
import math
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure

from xtalcodec import Codec
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.symmetry import space_group_number
from xtalcodec.latent_space.sample import draw
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.priors import open_prior
from xtalcodec.priors.about import PriorError
from xtalcodec.priors.conditions import Conditions
from xtalcodec.priors.flow.crystals import FlowCrystals
from xtalcodec.priors.flow.files import write
from xtalcodec.priors.flow.filling import Begun
from xtalcodec.priors.flow.prior import FlowPrior
from xtalcodec.priors.flow.settings import FlowConfig, SamplerConfig
from xtalcodec.representations.periodic import PeriodicConfig
from xtalcodec.representations.unit_cell import UnitCellConfig

SIZES = {"width": 16, "heads": 2, "layers": 1, "cell_width": 16, "cell_layers": 1, "composition_width": 16}
CONFIG = FlowConfig(**SIZES, composition_layers=1, most_sites=6, most_elements=3)
CELL = 4 * (np.ones((3, 3)) - np.eye(3)) / np.sqrt(2)
SALTS = [
    Crystal((1 + 0.02 * k) * CELL, np.array([[0.1, 0, 0], [0.6, 0.5, 0.5]]), np.array([a, x]), f"{a}-{x}")
    for k, (a, x) in enumerate([(11, 17), (19, 35), (3, 9), (37, 53)])
]


@pytest.fixture(scope="module")
def codec():
    torch.manual_seed(0)
    network = PatchConfig(width=24, heads=2, encoder_layers=1, decoder_layers=1, noise=0.5)
    return open_codec(CodecConfig("tiny", PeriodicConfig(), network))


@pytest.fixture(scope="module")
def flow(codec):
    return FlowPrior.fit(codec, SALTS, CONFIG, steps=3, batch_patches=64)


def test_a_batch_follows_from_its_seed_and_shows_crystals_and_parts(codec):
    source = FlowCrystals(codec, SALTS, CONFIG, 64)
    batch, again, other = source.batch([0, 1]), source.batch([0, 1]), source.batch([0, 2])
    torch.testing.assert_close(batch.latent, again.latent)
    torch.testing.assert_close(batch.part, again.part)
    assert abs(batch.latent - other.latent).max() > 0
    assert (batch.part[~batch.given] == 0).all()
    assert (batch.facts.elements.sort().values[:, 1:] > 0).all()


def test_the_origin_is_on_an_atom_where_it_should_be(codec):
    on_atom = FlowCrystals(codec, SALTS[:1], CONFIG, 64)._moved(0, np.random.default_rng(0))
    assert abs((on_atom.frac_coords + 0.5) % 1 - 0.5).max(1).min() < 1e-12
    random = FlowCrystals(codec, SALTS[:1], replace(CONFIG, origin="random"), 64)
    moved = random._moved(0, np.random.default_rng(0))
    assert abs((moved.frac_coords + 0.5) % 1 - 0.5).max(1).min() > 1e-3


def test_crystals_that_are_too_large_are_left_out_with_the_reason(codec):
    large = Crystal(3 * CELL, np.random.default_rng(0).random((9, 3)), np.full(9, 14), "large")
    four = Crystal(CELL, np.array([[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]]), np.array([3, 8, 9, 11]), "four")
    source = FlowCrystals(codec, [large, four, *SALTS], CONFIG, 64)
    assert len(source) == 4
    assert source.left_out == [("large", "9 sites, more than 6"), ("four", "4 elements, more than 3")]
    with pytest.raises(PriorError, match=r"^no crystal to fit, of 2\n  large: 9 sites.*\n  four: 4 elements"):
        FlowCrystals(codec, [large, four], CONFIG, 64)


def test_a_sample_depends_on_the_seed_and_its_number_alone(codec, flow):
    every = flow.sample(6, seed=4)
    tail = flow.sample(2, seed=4, first=4)
    for a, b in zip(every[4:], tail, strict=True):
        assert a.name == b.name
        assert a.patches == b.patches
        np.testing.assert_allclose(a.z, b.z, atol=0.05)  # bfloat16 in batches of other shapes
    assert {code.noise for code in every} == {0.2}
    drawn = list(draw(codec, flow.sampled_by(SamplerConfig(tries=1)), 6, seed=4))
    assert [one.code.name for one in drawn] == [f"sample-{k + 1}" for k in range(6)]
    np.testing.assert_allclose(drawn[3].code.z, every[3].z, atol=0.05)


@pytest.mark.parametrize("sampler", [SamplerConfig(steps=4), SamplerConfig(steps=4, guidance=2.0, churn=1.0)])
def test_cells_of_several_grids_are_filled_together_as_each_alone(flow, monkeypatch, sampler):
    monkeypatch.setattr("xtalcodec.priors.flow.following.reduced", lambda _: nullcontext())
    torch.nn.init.normal_(flow.network.latents.out.weight)
    prior = flow.sampled_by(sampler)
    (first, *_) = flow.planner.plan(1, seed=1)
    grids = [(1, 2, 2), (2, 2, 2), (2, 3, 2), (1, 2, 2)]
    plans = [replace(first, patches=grid, number=k, lattice=first.lattice * (1 + k)) for k, grid in enumerate(grids)]
    for code, plan in zip(prior.filled(plans, seed=3), plans, strict=True):
        np.testing.assert_allclose(code.z, prior.filled([plan], seed=3)[0].z, atol=1e-4)
        assert code.z.shape[0] == math.prod(plan.patches)


def test_a_flow_can_begin_with_codes_that_are_brought_back_to_noise(flow):
    torch.nn.init.normal_(flow.network.latents.out.weight)
    (plan,) = flow.planner.plan(1, seed=1)
    codes = [*flow.filled([plan], seed=3)]
    scale = flow.network.latent_deviation.max().item()

    def far(noise, number=1):
        made = flow.filled([plan], seed=3, begun=Begun(codes, noise, number))
        return np.abs(made[0].z - codes[0].z).max() / scale, made[0].z

    assert far(0.0)[0] < 1e-4, "without noise they stay"
    assert 1e-4 < far(0.05)[0] < far(0.9)[0]
    assert np.abs(far(0.5, 1)[1] - far(0.5, 2)[1]).max() > 0.01, "each return has its own noise"


def test_conditions_are_obeyed_by_the_cells(flow):
    asked = flow.condition(Conditions(composition={11: 1, 17: 1}, sites=(3, 6), system="cubic"))
    for plan in asked.planner.plan(5):
        assert plan.composition.elements == (11, 17)
        assert plan.composition.counts in {(2, 2), (3, 3)}
    with pytest.raises(PriorError, match="never saw U"):
        flow.condition(Conditions(elements=(92,)))


@pytest.mark.parametrize("temperature", [-1.0, float("nan"), float("inf")])
def test_a_temperature_is_a_finite_number(flow, temperature):
    with pytest.raises(PriorError, match="cannot draw 2 samples at the temperature"):
        flow.sample(2, temperature=temperature)


def test_guidance_of_one_asks_and_of_none_does_not(flow):
    def latents(guidance, **asked):
        prior = flow.condition(Conditions(**asked)).sampled_by(SamplerConfig(steps=4, guidance=guidance))
        return prior.filled(flow.planner.plan(1, seed=1), seed=1)[0].z

    torch.nn.init.normal_(flow.network.latents.out.weight)
    assert (latents(0.0, system="cubic") == latents(0.0)).all()
    assert (latents(1.0, system="cubic") != latents(1.0)).any()
    assert (latents(2.0) != latents(1.0)).any()


def test_a_prior_keeps_how_it_is_sampled(flow, tmp_path):
    flow.sampled_by(SamplerConfig(steps=5, guidance=1.5)).save(tmp_path)
    assert FlowPrior.load(tmp_path).sampler == SamplerConfig(steps=5, guidance=1.5)
    about = json.loads((tmp_path / "prior.json").read_text())
    del about["sampler"]  # as before there was one
    (tmp_path / "prior.json").write_text(json.dumps(about))
    assert FlowPrior.load(tmp_path).sampler == SamplerConfig()


@pytest.mark.parametrize(("value", "kept"), [(1.5e5, True), (float("nan"), False)])
def test_scales_of_properties_are_kept_in_any_unit_if_they_are_finite(flow, tmp_path, value, kept):
    network = copy.deepcopy(flow.network)
    network.property_deviation.fill_(value)
    if kept:
        write(tmp_path, flow.about, network, None)
        assert FlowPrior.load(tmp_path).network.property_deviation.tolist() == [value] * 4
        return
    with pytest.raises(PriorError, match="not finite"):
        write(tmp_path, flow.about, network, None)
    assert not any(tmp_path.iterdir())


def test_a_codec_of_windows_has_no_flow():
    windows = open_codec(CodecConfig("windows", UnitCellConfig(), PatchConfig(width=24, heads=2)))
    with pytest.raises(PriorError, match="is one of windows"):
        FlowPrior.fit(windows, SALTS, CONFIG, steps=1)


def test_broken_files_are_told(flow, tmp_path):
    flow.save(tmp_path / "prior", training={"step": 3})
    assert json.loads((tmp_path / "prior/training.json").read_text()) == {"step": 3}
    about = tmp_path / "prior/prior.json"
    text = about.read_text()
    about.write_text(text.replace("flow-prior-1", "flow-prior-9"))
    with pytest.raises(PriorError, match="its format is 'xtalcodec-flow-prior-9'"):
        FlowPrior.load(tmp_path / "prior")
    about.write_text("[1, 2]")
    with pytest.raises(PriorError, match="holds no facts by name"):
        FlowPrior.load(tmp_path / "prior")
    about.write_text(text.replace('"layers": 1', '"layers": 2'))
    with pytest.raises(PriorError, match="holds no prior that can be read"):
        FlowPrior.load(tmp_path / "prior")
    with pytest.raises(PriorError, match="nowhere holds no prior"):
        FlowPrior.load(tmp_path / "nowhere")


def test_a_system_that_was_never_seen_is_refused():
    asked = open_prior("perov-5").flow.condition(Conditions(system="hexagonal"))
    with pytest.raises(PriorError, match="never saw a hexagonal crystal in training, but cubic, orthorhombic, tetra"):
        asked.planner.plan(2)


def test_quartz_stays_of_its_hand_and_rock_salt_is_mirrored():
    """Moved quartz of P3₂21 is never of P3₁21, which is its mirror image."""
    codec = Codec.from_pretrained("mp")
    sites = [[0.4697, 0, 0], [0.4135, 0.2669, 0.1191]]
    lattice = Lattice.hexagonal(4.9134, 5.4052)
    quartz = Crystal.from_pymatgen(Structure.from_spacegroup("P3_221", lattice, ["Si", "O"], sites))
    source = FlowCrystals(codec, [quartz, SALTS[0]], FlowConfig(most_sites=20), 64)
    told = source.facts.space_group.tolist()
    assert told[0] in (152, 154)
    dice = np.random.default_rng(0)
    assert {space_group_number(source._moved(0, dice)) for _ in range(12)} == {told[0]}
