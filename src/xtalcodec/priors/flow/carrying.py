"""Latents carried along a flow, to noise and back."""

from functools import partial

import numpy as np
import torch
from jaxtyping import Float

from xtalcodec.priors.flow.following import Follower
from xtalcodec.representations.base import Patches


@torch.no_grad()
def carried(
    follower: Follower,
    z: Float[np.ndarray, "n patches latent"],
    lattices: Float[np.ndarray, "n 3 3"],
    patches: Patches,
    since: float,
    until: float,
) -> Float[np.ndarray, "n patches latent"]:
    """Carry latents along the flow from one time to another: to noise (1 to 0) and back (0 to 1).

    Parameters
    ----------
    follower
        The flow, and what is asked.
    z
        Latents of one grid; at time 0 noise, which has no scale of its own.
    lattices
        Cell of each, rows in Å.
    patches
        Of the grid.
    since, until
        Times.
    """
    network = follower.network
    x = torch.from_numpy(z.astype(np.float32)).to(follower.device)
    x = network.standard(x) if since else x
    about = {"lattice": torch.from_numpy(lattices).float().to(follower.device)}
    rngs = [np.random.default_rng(k) for k in range(len(z))]
    fresh = partial(follower.drawn, rngs, [x.shape[1]] * len(z), x.shape[2])
    x = follower.follow(network.latents, x, [patches], follower.told(len(z)), fresh, about, since, until)
    return (network.plain(x) if until else x).cpu().numpy()
