"""Recipes: everything that decides a training, one YAML file each, `key=value` on top."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import yaml
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
    override,
    renamed,
    settings,
    unknown,
)
from xtalcodec.training.augment import AugmentConfig
from xtalcodec.training.optimisers import OptimiserConfig


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
    return sorted(p.name.removesuffix(".yaml") for p in files("xtalcodec.training").joinpath("recipes").iterdir())


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
    if name in available():
        text = files("xtalcodec.training").joinpath("recipes", f"{name}.yaml").read_text()
    elif Path(name).is_file():
        text = Path(name).read_text()
    else:
        raise FileNotFoundError(unknown("recipe", name, available()) + " A YAML file will do too.")
    values = yaml.safe_load(text) or {}
    if not isinstance(values, dict):
        raise SettingsError(f"{name} holds no settings, but {values!r}")
    classes()  # the kinds of networks and representations
    values = renamed(Recipe, values, note=note)
    _check_start(name, str(values.get("start", "")))
    for word in overrides:
        values = _laid_over(values, renamed(Recipe, override({}, [word]), note=note))
    return build(Recipe, values)


def _check_start(recipe: str, start: str) -> None:
    """Refuse a download that a file asks for: only what the user types is looked up."""
    if start and start not in pretrained() and not Path(start).is_dir():
        raise SettingsError(
            f"{recipe} starts from {start!r}, which is not on this machine: give start={start} to fetch it"
        )


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay nested settings over others."""
    result = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = _laid_over(result[key], value) if both else value
    return result
