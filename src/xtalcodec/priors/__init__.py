"""Distributions over latents, one file each in this folder: what a random crystal's code may be."""

import json
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from xtalcodec.config import unknown

if TYPE_CHECKING:
    from xtalcodec.priors.base import Prior


NO_PRIORS = "asked", "base", "conditions", "plan"
"""Modules that priors are made with."""


def available() -> list[str]:
    """Names of the priors: every other module here has one, `PRIOR`."""
    return sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name not in NO_PRIORS)


def open_prior(folder: "str | Path") -> "Prior":
    """Read a prior of any kind from its folder.

    Raises
    ------
    PriorError
        A folder without a prior, or with one that is broken.
    """
    from xtalcodec.priors.conditions import PriorError

    file = Path(folder) / "prior.json"
    try:
        form = json.loads(file.read_text()).get("format")
    except (OSError, ValueError, AttributeError) as error:
        raise PriorError(f"{folder} holds no prior that can be read: {error}") from error
    kinds = {prior(name).format: prior(name) for name in available()}
    if form not in kinds:
        raise PriorError(unknown(f"prior in {folder} of the format", str(form), [*kinds]))
    return kinds[form].load(folder)


def prior(name: str) -> "type[Prior]":
    """Return the class of a prior.

    Raises
    ------
    ValueError
        No such prior; the message lists those there are.
    """
    if name not in available():
        raise ValueError(unknown("prior", name, available()))
    return import_module(f"{__name__}.{name}").PRIOR
