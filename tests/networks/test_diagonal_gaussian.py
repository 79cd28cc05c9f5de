import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from xtalcodec.networks.diagonal_gaussian import DiagonalGaussian


def test_kl_is_torchs_summed_over_the_latent():
    torch.manual_seed(0)
    latent = DiagonalGaussian(torch.randn(3, 5, 2), torch.randn(3, 5, 2))
    truth = kl_divergence(Normal(latent.mean, (0.5 * latent.log_var).exp()), Normal(0, 1)).sum((1, 2))
    torch.testing.assert_close(latent.kl(), truth)
    torch.testing.assert_close(DiagonalGaussian(torch.zeros(1, 4, 2), torch.zeros(1, 4, 2)).kl(), torch.zeros(1))


def test_samples_have_the_mean_and_spread_that_they_should():
    torch.manual_seed(0)
    latent = DiagonalGaussian(torch.full((1, 20000, 1), 3.0), torch.full((1, 20000, 1), math.log(0.25)))
    sample = latent.sample()
    assert sample.mean().item() == pytest.approx(3, abs=0.02)
    assert sample.std().item() == pytest.approx(0.5, abs=0.02)
