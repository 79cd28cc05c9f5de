"""A larger network says at first what the one that it starts from says."""

import numpy as np
import pytest
import torch

from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.crystal import Crystal
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.training.augment import AugmentConfig
from xtalcodec.training.crystals import TrainingCrystals
from xtalcodec.training.start import calibrate, take_over

SMALL = {"channels": 3, "width": 24, "heads": 2, "latent": 3, "features": 5, "species": 20}
ROUNDING = 1e-4

CRYSTALS = [
    Crystal(np.eye(3) * 4.1, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([11, 17])),
    Crystal(np.eye(3) * 3.9, np.array([[0, 0, 0.1], [0.4, 0.5, 0.5]]), np.array([3, 9])),
]


def codec(**sizes):
    torch.manual_seed(len(sizes))
    return open_codec(CodecConfig(network=PatchConfig(**SMALL, **sizes), elements=tuple(range(1, 21))))


@pytest.fixture
def pair():
    old, new = codec(), codec(encoder_layers=3, decoder_layers=6, noise=0.5, mixtures=True)
    take_over(new, old)
    return old, new


def said(codec, batch, patches):
    """Latent, heat and species features of a batch."""
    with torch.no_grad():
        latent = codec.encode_batch(batch, patches)
        decoded = codec.network.decode(latent.mean, batch.lattice, patches)
    return latent.mean, decoded


def test_layers_that_are_new_add_nothing(pair):
    batch, patches = CrystalBatch.collate(CRYSTALS), (2, 2, 2)
    (z, field), (other_z, other) = (said(c, batch, patches) for c in pair)
    torch.testing.assert_close(other_z, z, atol=ROUNDING, rtol=0)
    for name in ("heat", "offset", "features"):
        torch.testing.assert_close(getattr(other, name), getattr(field, name), atol=ROUNDING, rtol=0)


def test_features_that_are_new_are_not_read_yet():
    old = codec(mixtures=True)
    torch.manual_seed(1)
    sizes = SMALL | {"features": 9, "mixtures": True}
    new = open_codec(CodecConfig(network=PatchConfig(**sizes), elements=tuple(range(1, 21))))
    take_over(new, old)
    batch, patches = CrystalBatch.collate(CRYSTALS), (2, 2, 2)
    (_, field), (_, other) = (said(c, batch, patches) for c in (old, new))
    torch.testing.assert_close(other.features[..., :5], field.features, atol=ROUNDING, rtol=0)
    assert other.features[..., 5:].abs().max() > 0.01
    for name in ("element", "shared", "sure"):
        mine, theirs = (getattr(c.network.species(f.features), name) for c, f in ((new, other), (old, field)))
        torch.testing.assert_close(mine, theirs, atol=ROUNDING, rtol=0)


def test_the_latent_gets_unit_variance_and_decodes_as_before(pair):
    _, new = pair
    source = TrainingCrystals(CRYSTALS * 10, new, AugmentConfig(mix=0.3), 300, 256)
    batch, patches = CrystalBatch.collate(CRYSTALS), (2, 2, 2)
    _, before = said(new, batch, patches)
    new.network.train()
    calibrate(new, source, 0)
    assert new.network.training
    new.network.eval()
    z, after = said(new, batch, patches)
    torch.testing.assert_close(after.heat, before.heat, atol=1e-3, rtol=0)
    latents = [new.encode_batch(*source.batch([0, k, 3])).mean.detach().flatten(0, 1) for k in range(40)]
    torch.testing.assert_close(torch.cat(latents).std(0), torch.ones(3), atol=1e-3, rtol=0)
    assert abs(torch.cat(latents).mean(0)).max() < 1e-3
    assert torch.isfinite(z).all()


def test_a_codec_without_noise_keeps_its_scale():
    plain = codec()
    before = {k: v.clone() for k, v in plain.network.state_dict().items()}
    calibrate(plain, TrainingCrystals(CRYSTALS, plain, AugmentConfig(), 300, 256), 0)
    assert all((v == before[k]).all() for k, v in plain.network.state_dict().items())


def test_nothing_that_fits_is_an_error(monkeypatch):
    other = codec()
    other.network.state_dict = lambda: {"elsewhere": torch.zeros(3)}
    monkeypatch.setattr("xtalcodec.training.start._grown", lambda *states: states[-1])
    with pytest.raises(ValueError, match="no weight"):
        take_over(codec(encoder_layers=3), other)
