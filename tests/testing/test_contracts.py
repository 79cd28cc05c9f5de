"""The contracts, over everything that is registered."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from xtalcodec.codecs.latents import CrystalCode, LatentSet
from xtalcodec.codecs.registry import classes
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.crystal import Crystal
from xtalcodec.networks.hoffmann import HoffmannConfig
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.priors import available, prior
from xtalcodec.testing.contracts import check_codec, check_prior, check_representation

SMALL = {
    PatchConfig: {"width": 24, "heads": 2, "encoder_layers": 1, "decoder_layers": 1},
    HoffmannConfig: {"scale": 0.03},
}
"""Sizes for tests; a network that is not listed is taken as it is."""

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


@pytest.mark.parametrize("name", available())
def test_priors(name, tmp_path):
    rng, basis = np.random.default_rng(0), np.eye(3, dtype=np.int64)
    codes = [
        CrystalCode(f"c{k}", rng.normal(size=(2, 4)).astype(np.float32), (2, 1, 1), (4 + 0.1 * k) * np.eye(3), basis)
        for k in range(8)
    ]
    check_prior(prior(name), LatentSet(tuple(codes), "tiny-0"), tmp_path)
