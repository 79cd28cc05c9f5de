"""Codes of samples that are kept: a run goes on where it was stopped, and gets what one run would have got."""

import numpy as np
import pytest
import torch

from xtalcodec.codecs.latents import LatentsError
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation import Memo
from xtalcodec.evaluation.generation.kept_codes import MemoCodes
from xtalcodec.latent_space.sample import Kept, draw
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.priors.conditions import Conditions
from xtalcodec.priors.flow.prior import FlowPrior
from xtalcodec.priors.flow.settings import FlowConfig, SamplerConfig
from xtalcodec.priors.plan import Composition
from xtalcodec.representations.periodic import PeriodicConfig

SIZES = {"width": 16, "heads": 2, "layers": 1, "cell_width": 16, "cell_layers": 1, "composition_width": 16}
CONFIG = FlowConfig(**SIZES, composition_layers=1, most_sites=6, most_elements=3)
CELL = 4 * (np.ones((3, 3)) - np.eye(3)) / np.sqrt(2)
SALTS = [
    Crystal(CELL * scale, np.array([[0.1, 0, 0], [0.6, 0.5, 0.5]]), np.array([11, 17]), "salt") for scale in (1, 1.02)
]


@pytest.fixture(scope="module")
def codec():
    torch.manual_seed(0)
    return open_codec(
        CodecConfig("tiny", PeriodicConfig(), PatchConfig(width=24, heads=2, decoder_layers=1, noise=0.5))
    )


@pytest.fixture(scope="module")
def flow(codec):
    return FlowPrior.fit(codec, SALTS, CONFIG, steps=1, batch_patches=64).sampled_by(SamplerConfig(steps=2, tries=1))


def drawn(codec, flow, n, memo, together=2):
    return [one.code for one in draw(codec, flow, n, 7, together=together, kept=MemoCodes(memo, flow, 7, 1.0))]


def test_a_run_that_was_stopped_goes_on_with_what_it_had(codec, flow, tmp_path, monkeypatch):
    filled = FlowPrior.filled
    asked = []

    def noting(self, plans, *rest, **more):
        asked.append([plan.number for plan in plans])
        return filled(self, plans, *rest, **more)

    monkeypatch.setattr(FlowPrior, "filled", noting)
    whole = drawn(codec, flow, 5, Memo())
    assert asked == [[0, 1], [2, 3, 4]]
    asked.clear()
    path = tmp_path / "samples.sqlite"
    with Memo(path) as memo:
        running = draw(codec, flow, 5, 7, together=2, kept=MemoCodes(memo, flow, 7, 1.0))
        next(running)
        running.close()
    assert asked == [[0, 1]]
    with Memo(path) as memo:
        again = drawn(codec, flow, 5, memo, together=4)
    assert asked == [[0, 1], [2, 3], [4]], "the first two are not drawn twice"
    for one, other in zip(whole, again, strict=True):
        assert (one.name, one.patches, one.noise) == (other.name, other.patches, other.noise)
        np.testing.assert_allclose(one.z, other.z, atol=1e-5)
        np.testing.assert_allclose(one.lattice, other.lattice, atol=1e-9)


def test_other_settings_are_never_mixed(flow):
    asked = [flow, flow.condition(Conditions(elements=(11,))), flow.sampled_by(SamplerConfig(steps=3))]
    memo = Memo()
    names = {MemoCodes(memo, prior, seed, heat).what for prior in asked for seed in (1, 2) for heat in (0.5, 1.0)}
    assert len(names) == 12
    assert MemoCodes(memo, flow.condition(Conditions()), 1, 0.5).what in names


def test_what_is_damaged_is_told(codec, flow, tmp_path):
    with Memo(tmp_path / "m.sqlite") as memo:
        drawn(codec, flow, 1, memo)
        what = MemoCodes(memo, flow, 7, 1.0).what
        (value,) = memo.known(what, ["0"]).values()
        for wrong in ({**value, "z": value["z"][:8]}, {**value, "lattice": [float("nan")] * 9}, {"z": "AAAA"}):
            memo.keep(what, {"0": wrong})
            with pytest.raises(LatentsError, match=r"m\.sqlite: a code that was kept is damaged"):
                drawn(codec, flow, 1, memo)


def test_a_sample_is_decoded_with_the_atoms_that_it_was_given_at_last(codec, flow, tmp_path):
    """Another try may have had other atoms than those that were planned at first."""
    (first,) = draw(codec, flow, 1, 7)
    other = Composition((11, 17), (first.composition.counts[0] + 1, 1))
    with Memo(tmp_path / "m.sqlite") as memo:
        kept = MemoCodes(memo, flow, 7, 1.0)
        kept.keep({0: Kept(other, first.code)})
        assert kept.known([0])[0].composition == other
        (again,) = draw(codec, flow, 1, 7, kept=kept)
    assert again.composition == other
    assert again.decoded is None or set(again.decoded.crystal.holding) <= set(other.elements)
    np.testing.assert_array_equal(again.code.z, first.code.z)
