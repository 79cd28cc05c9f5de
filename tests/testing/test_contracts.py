"""The contracts, over everything that is registered."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from xtalcodec.codecs.registry import classes, open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.crystal import Crystal
from xtalcodec.networks.hoffmann import HoffmannConfig
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.priors import available, prior
from xtalcodec.priors.flow.settings import FlowConfig
from xtalcodec.representations.periodic import PeriodicConfig
from xtalcodec.testing.contracts import check_codec, check_prior, check_representation

SMALL = {
    PatchConfig: {"width": 24, "heads": 2, "encoder_layers": 1, "decoder_layers": 1},
    HoffmannConfig: {"scale": 0.03},
}
"""Sizes for tests; a network that is not listed is taken as it is."""

TINY = {"width": 16, "heads": 2, "layers": 1, "cell_width": 16, "cell_layers": 1, "composition_width": 16}
"""Sizes of flows for tests."""

WHOLE = {"patches": 1, "skin": 0.0, "reach": 5.7}
"""Settings of windows whose density is encoded."""

PRIMITIVE = 4 * (np.ones((3, 3)) - np.eye(3)) / np.sqrt(2)
SITES = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
CRYSTALS = [
    Crystal(PRIMITIVE, SITES, np.array([11, 17]), "salt"),
    Crystal(1.02 * PRIMITIVE, SITES, np.array([19, 35]), "sylvite"),
]

PAIRS = [(c, r) for c in classes() for r in c.representations]


@pytest.mark.parametrize("representation", sorted({r for _, r in PAIRS}, key=lambda r: r.kind))
def test_representations(representation):
    for crystal in CRYSTALS:
        check_representation(representation(), crystal)


@pytest.mark.parametrize(("codec", "representation"), PAIRS, ids=[f"{c.__name__}-{r.kind}" for c, r in PAIRS])
def test_codecs(codec, representation, tmp_path):
    torch.manual_seed(0)
    network = replace(codec.networks(), **SMALL.get(codec.networks, {}))
    settings = WHOLE if codec.encodes_density else {}
    check_codec(CodecConfig("tiny", representation(**settings), network), CRYSTALS, tmp_path)


FITS = {"flow": {"config": FlowConfig(**TINY), "steps": 2, "batch_patches": 64}}
"""Settings of the fits of priors; one that is not listed has none."""


@pytest.mark.parametrize("name", available())
def test_priors(name, tmp_path):
    torch.manual_seed(0)
    codec = open_codec(CodecConfig("tiny", PeriodicConfig(), PatchConfig(**SMALL[PatchConfig])))
    crystals = [replace(CRYSTALS[0], lattice=(1 + 0.01 * k) * PRIMITIVE, name=f"salt-{k}") for k in range(8)]
    check_prior(prior(name), codec, crystals, tmp_path, FITS.get(name, {}))
