"""Everything that decides the training of a head."""

from collections.abc import Sequence
from dataclasses import field
from typing import Annotated

from pydantic import Field

from xtalcodec.config import Count, NotNegative, Positive, build, override, settings
from xtalcodec.embedding.surroundings import SurroundingsConfig
from xtalcodec.heads.network import HeadConfig


@settings
class HeadRecipe:
    """A training of a head, whole."""

    looks: SurroundingsConfig = field(default_factory=SurroundingsConfig)
    """Radii at which the surroundings of sites are looked at."""
    network: HeadConfig = field(default_factory=HeadConfig)
    """Sizes of the network."""
    kept_back: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the crystals, whole compositions, that are not learnt from: they say how far predictions are off."""
    epochs: Count = 40
    """How often every crystal is seen."""
    batch: Annotated[int, Field(ge=2)] = 128
    """Crystals of a step."""
    learning_rate: Positive = 2e-3
    """The largest one: it rises over a tenth of the steps, and falls to nothing."""
    weight_decay: NotNegative = 0.01
    seed: Annotated[int, Field(ge=0)] = 0


def recipe_of(words: Sequence[str]) -> HeadRecipe:
    """Lay `key=value` words over the usual settings.

    Raises
    ------
    SettingsError
        An unknown key or a value of the wrong type.
    """
    return build(HeadRecipe, override({}, words))
