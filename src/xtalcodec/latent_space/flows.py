"""Along a flow: paths between latents through noise, and variations of a crystal that are noised and denoised."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.latents import CrystalCode, LatentSet
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.alignment import cell_between
from xtalcodec.latent_space.paths import LatentPath, arc
from xtalcodec.priors.about import PriorError
from xtalcodec.priors.base import Prior
from xtalcodec.priors.conditions import Conditions
from xtalcodec.priors.flow.carrying import carried
from xtalcodec.priors.flow.filling import Begun
from xtalcodec.priors.plan import Composition, Plan


def check_known(prior: Prior, *crystals: Crystal) -> None:
    """Refuse crystals that a flow cannot know: on shared or partly empty sites, of other elements, or too large.

    Raises
    ------
    PriorError
        The message names the crystal where it is not ordered, and says what the flow knows.
    """
    for crystal in crystals:
        if not crystal.is_ordered:
            raise PriorError(f"{crystal.called} has shared or partly empty sites; a flow knows ordered ones")
        try:
            Conditions(holding=crystal.holding, sites=(len(crystal), len(crystal))).check(prior.flow.limits)
        except PriorError as error:
            raise PriorError(f"{crystal.called}: {error}") from error


def along(prior: Prior) -> LatentPath:
    """Return the path along a flow: both ends are carried to noise, mixed there along the arc, and carried back.

    What comes back is on the flow, and so like what the prior was fitted to; Song et al. 2021 (arXiv 2011.13456) carry
    images to noise and back in this way.
    """
    follower = prior.flow.follower

    def path(a: CrystalCode, b: CrystalCode, shares: Sequence[float]) -> Float[np.ndarray, "steps patches latent"]:
        ends = np.stack([a.z, b.z])
        noise = carried(follower, ends, np.stack([a.lattice, b.lattice]), a.patches, 1.0, 0.0)
        mixed = arc(replace(a, z=noise[0]), replace(b, z=noise[1]), shares)
        cells = np.stack([cell_between(a.lattice, b.lattice, share) for share in shares])
        back = carried(follower, mixed, cells, a.patches, 0.0, 1.0)
        for k, share in enumerate(shares):
            if share in (0, 1):
                back[k] = ends[int(share)]
        return back

    return path


def variations(
    codec: Codec, prior: Prior, crystal: Crystal, noise: float, n: int, seed: int = 0, *, refine: bool = True
) -> LatentSet:
    """Noise the latent of a crystal in part and carry it back along the flow: crystals near it.

    Parameters
    ----------
    codec
        That encodes it.
    prior
        Of the codec's codes.
    crystal
        Ordered.
    noise
        How far towards noise: above 0, which is the crystal itself, to 1, which leaves its cell and composition alone.
    n
        How many.
    seed
        Another gives other variations.
    refine
        Improve the latent of the crystal where it does not decode to it.

    Raises
    ------
    PriorError
        Noise outside of its range; a crystal that the prior cannot know.
    """
    codec.check_owns(prior.codec, "this prior belongs")
    if not 0 < noise <= 1:
        raise PriorError(f"noise is above 0 and at most 1, not {noise:g}")
    if n < 1:
        raise PriorError(f"there is at least one variation, not {n}")
    check_known(prior, crystal)
    flow = prior.flow
    code = _on_an_atom(codec, crystal, refine=refine)
    name, holding = crystal.called, Composition.of(crystal)
    plans = [Plan(f"{name}-{k + 1}", holding, code.lattice, code.patches, k) for k in range(n)]
    made = flow.filled(plans, seed, begun=Begun([code] * n, noise, 0))
    codes = [replace(code, name=one.name, z=one.z, noise=one.noise, plain=one.plain) for one in made]
    return LatentSet(tuple(codes), codec.identity)


def _on_an_atom(codec: Codec, crystal: Crystal, *, refine: bool = True) -> CrystalCode:
    """Encode a crystal with the origin on its first atom, where flows are used to have one."""
    placed = codec.place(crystal)
    shift = -placed.crystal.frac_coords[0]
    moved = replace(placed, crystal=placed.crystal.translated(shift))
    (code,) = codec.encode_placed([moved], refine=refine)
    return replace(code, origin=code.origin + shift)
