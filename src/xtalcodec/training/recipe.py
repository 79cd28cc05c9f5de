"""Recipes: everything that decides a training, one YAML file each, `key=value` on top."""

from collections.abc import Sequence
from dataclasses import field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from xtalcodec.codecs.hub import pretrained
from xtalcodec.codecs.registry import classes
from xtalcodec.codecs.settings import CodecConfig, LossConfig
from xtalcodec.config import (
    Count,
    Note,
    NotNegative,
    SettingsError,
    Share,
    build,
    renamed,
    settings,
)
from xtalcodec.training.augment import AugmentConfig
from xtalcodec.training.optimisers import OptimiserConfig
from xtalcodec.training.recipe_files import overridden, shipped, values_of

FOLDER = "recipes"


@settings
class Recipe:
    """A training, whole."""

    RENAMED: ClassVar[dict[str, str]] = {"objective": "loss"}
    codec: CodecConfig = field(default_factory=CodecConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    start: str = ""
    """A codec whose weights of the same name and shape training starts from."""
    frozen: Literal["", "encoder"] = ""
    """"encoder": the decoder alone learns, so that latents, and what stands on them, stay what they are."""
    average: Share = 0.0
    """Share that a running average of the weights keeps at each step; the average is what is kept. 0: none."""
    seed: Annotated[int, Field(ge=0)] = 0
    held_out: Share = 0.0
    """Share of a store's crystals, by their names, that training from one leaves out with all of their views."""
    largest: Count = 300
    """Crystals with more patches are left out of training (they are still encoded later)."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """"bf16", "fp32", or "auto": bf16 where the processor multiplies it natively."""
    checkpoint_minutes: NotNegative = 3.0
    """Between checkpoints."""
    sample: Annotated[int, Field(ge=0)] = 100
    """Held-out crystals reconstructed at every checkpoint."""


def available() -> list[str]:
    """Names of the recipes that ship with the package."""
    return shipped(FOLDER)


def load(name: str, overrides: Sequence[str] = (), note: Note | None = None) -> Recipe:
    """Read a recipe by name or path and lay `key=value` words over it.

    Parameters
    ----------
    name
        One that ships with the package, or a YAML file.
    overrides
        Words, the last of a key counts.
    note
        Told of keys of earlier releases, which are understood.

    Raises
    ------
    SettingsError
        An unknown key or a value of the wrong type.
    FileNotFoundError
        No such recipe; the message lists those there are.
    """
    values = values_of(FOLDER, name)
    classes()  # the kinds of networks and representations
    values = renamed(Recipe, values, note=note)
    _check_start(name, str(values.get("start", "")))
    for word in overrides:
        values = overridden(Recipe, values, word, note)
    return build(Recipe, values)


def _check_start(recipe: str, start: str) -> None:
    """Refuse a download that a file asks for: only what the user types is looked up."""
    if start and start not in pretrained() and not Path(start).is_dir():
        raise SettingsError(
            f"{recipe} starts from {start!r}, which is not on this machine: give start={start} to fetch it"
        )
