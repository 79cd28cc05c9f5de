"""Recipes of priors: everything that decides a training, one YAML file each, `key=value` on top."""

from collections.abc import Sequence
from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field

from xtalcodec.config import NotNegative, Share, settings
from xtalcodec.priors.flow.settings import FlowConfig, SamplerConfig
from xtalcodec.training.optimisers import OptimiserConfig
from xtalcodec.training.recipe_files import loaded, shipped

FOLDER = "prior_recipes"


@settings
class PriorRecipe:
    """A training of a flow, whole."""

    codec: str = "mp"
    """Whose latents the prior is of: one that ships, or a folder."""
    flow: FlowConfig = field(default_factory=FlowConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    """How samples are drawn, of the training and of what comes of it, where nothing else is asked."""
    start: str = ""
    """A folder with a flow of the same sizes and codec, whose weights training starts from."""
    latents: bool = True
    """Whether the flow of latents learns: compositions and cells alone are learnt some thirty times as fast."""
    cells: bool = True
    """Whether compositions and cells learn: they have learnt all they can long before latents have, see `--val`."""
    anew: bool = False
    """Whether compositions and cells begin from nothing, where `start` gives the rest."""
    average: Share = 0.999
    """Share that the running average of the weights keeps at each step; the average is what samples."""
    seed: Annotated[int, Field(ge=0)] = 0
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """"bf16", "fp32", or "auto": bf16 where the processor multiplies it natively."""
    checkpoint_minutes: NotNegative = 5.0
    """Between checkpoints."""
    score_minutes: NotNegative = 20.0
    """Between samples that are judged."""
    sample: Annotated[int, Field(ge=0)] = 100
    """How many are drawn and judged."""


def available() -> list[str]:
    """Names of the recipes that ship with the package."""
    return shipped(FOLDER)


def load(name: str, overrides: Sequence[str] = ()) -> PriorRecipe:
    """Read a recipe by name or path and lay `key=value` words over it.

    Raises
    ------
    SettingsError
        An unknown key or a value of the wrong type.
    FileNotFoundError
        No such recipe; the message lists those there are.
    """
    return loaded(PriorRecipe, FOLDER, name, overrides)
