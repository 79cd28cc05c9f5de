"""Codecs and priors of their latents, where one follows from the other."""

from typing import TYPE_CHECKING, Annotated

import typer

from xtalcodec.cli.running import load_codec

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec
    from xtalcodec.priors.base import Prior

DEFAULT = "mp"
"""Codec, and prior, where nothing is named."""

PriorName = Annotated[
    str | None,
    typer.Option(
        "--prior",
        help="A flow that ships (`xtalcodec info`), or the folder of one (`xtalcodec train-prior`); "
        "the codec's that ships if not given.",
    ),
]

CodecOrPriors = Annotated[
    str | None,
    typer.Option(
        "--codec",
        help="A codec that ships with the package, a folder, or user/repository; that of --prior, or else mp, if not "
        "given.",
    ),
]


def load_pair(prior: str | None, codec: str | None, device: str) -> "tuple[Codec, Prior]":
    """Load a codec and a prior of its latents: the one that is not named follows from the other.

    Raises
    ------
    PriorError
        No such prior; none that ships for the codec.
    LatentsError
        A prior of another codec.
    """
    from xtalcodec.codecs.hub import named_in
    from xtalcodec.priors import open_prior, prior_for

    if prior is None:
        model = load_codec(codec or DEFAULT, device)
        return model, prior_for(model)
    fitted = open_prior(prior)
    model = load_codec(codec or named_in(prior, fitted.codec), device)
    model.check_owns(fitted.codec, f"the prior {prior} belongs")
    return model, fitted
