"""Priors that a server can draw from, and what each can be asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xtalcodec.priors.conditions import Limits

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec

PROTOTYPES = "prototypes"
"""Source of the prior that is there without any: fitted to the AFLOW prototypes that fit the codec."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One prior."""

    source: str
    """`PROTOTYPES`, a file of latents, or the folder or the name of a prior: not for readers."""
    name: str
    """What readers see and choose."""
    description: str
    limits: Limits | None = None
    """What it can be asked for; None for nothing."""
    flow: bool = False
    """Whether crystals can be completed by it."""


def offers(codec: str, prior: str | None) -> dict[str, Offer]:
    """Return what readers may draw from, by name, the best first: what is named, then what ships for the codec.

    Parameters
    ----------
    codec
        Name or folder of the codec in use.
    prior
        What whoever starts the server names: a file of latents, a folder or a name of a prior.

    Raises
    ------
    PriorError, LatentsError
        A prior that cannot be read, or one of another codec.
    """
    from xtalcodec.codecs.base import Codec
    from xtalcodec.priors import open_prior, shipped

    model = Codec.from_pretrained(codec)
    own = [name for name in shipped() if model.owns(open_prior(name).codec)]
    named = [_offer(model, source) for source in dict.fromkeys([*([] if prior is None else [prior]), *own])]
    plain = Offer(PROTOTYPES, "the prototypes", "normal distribution of the codes of prototypes")
    found: dict[str, Offer] = {}
    for offer in [*named, plain]:
        found.setdefault(offer.name, offer)
    return found


def _offer(model: "Codec", prior: str) -> Offer:
    """Open a prior, and say what it can do."""
    from xtalcodec.codecs.latents import codec_of
    from xtalcodec.priors import open_prior

    name = Path(prior).name
    if Path(prior).is_file():
        model.check_owns(codec_of(prior))
        return Offer(prior, name, f"normal distribution of the codes in {name}")
    opened = open_prior(prior)
    model.check_owns(opened.codec, f"the prior {name} belongs")
    return Offer(prior, name, opened.description, opened.limits, opened.plans)
