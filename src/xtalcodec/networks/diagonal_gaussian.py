"""What an encoder says of a crystal: a distribution over its latent."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True)
class DiagonalGaussian:
    """Normal distribution over the latent with a diagonal covariance, of every patch where there are patches."""

    mean: Float[Tensor, "b *patches latent"]
    log_var: Float[Tensor, "b *patches latent"]

    def sample(self) -> Float[Tensor, "b *patches latent"]:
        """Draw with the reparametrisation trick (Kingma & Welling 2014, eq. 10)."""
        return self.mean + torch.randn_like(self.mean) * (0.5 * self.log_var).exp()

    def kl(self) -> Float[Tensor, " b"]:
        """KL(q ‖ N(0, 1)) in nats, summed over the whole latent, per crystal."""
        return 0.5 * (self.mean.square() + self.log_var.exp() - 1 - self.log_var).flatten(1).sum(1)
