"""Recipes: everything that decides a training, one YAML file each, `key=value` on top."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import yaml

from xtalcodec.codecs.codec import CodecConfig
from xtalcodec.config import SettingsError, build, override, unknown
from xtalcodec.training.augment import AugmentConfig
from xtalcodec.training.objective import ObjectiveConfig
from xtalcodec.training.optimisers import OptimiserConfig


@dataclass(frozen=True, slots=True)
class Recipe:
    """A training, whole."""

    codec: CodecConfig = field(default_factory=CodecConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    start: str = ""
    """A codec whose weights of the same name and shape training starts from."""
    seed: int = 0
    held_out: float = 0.0
    """Share of a store's crystals, by their names, that training from one leaves out with all of their views."""
    largest: int = 300
    """Crystals with more patches are left out of training (they are still encoded later)."""
    precision: str = "auto"
    """"bf16", "fp32", or "auto": bf16 where the processor multiplies it natively."""
    checkpoint_minutes: float = 3.0
    """Between checkpoints."""
    sample: int = 100
    """Held-out crystals reconstructed at every checkpoint."""


def available() -> list[str]:
    """Names of the recipes that ship with the package."""
    return sorted(p.name.removesuffix(".yaml") for p in files("xtalcodec.training").joinpath("recipes").iterdir())


def load(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe by name or path and lay `key=value` words over it.

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
    return build(Recipe, override(values, overrides))
