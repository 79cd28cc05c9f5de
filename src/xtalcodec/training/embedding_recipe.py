"""Recipes of embeddings: everything that decides a training, one YAML file each, `key=value` on top."""

from collections.abc import Sequence
from dataclasses import field
from typing import Annotated

from pydantic import Field

from xtalcodec.config import Count, NotNegative, Positive, settings
from xtalcodec.embedding.embedding import Looks
from xtalcodec.training.recipe_files import loaded, shipped

FOLDER = "embedding_recipes"


@settings
class EmbeddingRecipe:
    """A training of an embedding, whole."""

    codec: str = "mp"
    """Whose density channels are looked at: one that ships, or a folder."""
    looks: Looks = field(default_factory=Looks)
    """What is looked at, and sizes of the networks."""
    crystals: Count = 8000
    """Crystals to learn from at most; those that share their composition with another go first."""
    largest: Count = 60
    """Sites of a training crystal at most."""
    views: Annotated[int, Field(ge=2)] = 4
    """Views of each crystal: itself, and others with noise and strain."""
    noise: NotNegative = 0.07
    """Å: largest standard deviation of a view's sites along an axis."""
    strain: NotNegative = 0.03
    """Largest entry of a view's strain."""
    temperature: Positive = 0.05
    """Of the loss: the lower, the more the likeliest mistakes count."""
    ranking: NotNegative = 0.0
    """Weight of a second loss: views of a crystal are to be more alike than any two crystals of one composition."""
    batch: Annotated[int, Field(ge=2)] = 256
    """Crystals of a step, half of them beside others of their composition."""
    steps: Count = 1000
    learning_rate: Positive = 2e-3
    weight_decay: NotNegative = 0.01
    seed: Annotated[int, Field(ge=0)] = 0


def available() -> list[str]:
    """Names of the recipes that ship with the package."""
    return shipped(FOLDER)


def load(name: str, overrides: Sequence[str] = ()) -> EmbeddingRecipe:
    """Read a recipe by name or path and lay `key=value` words over it.

    Raises
    ------
    SettingsError
        An unknown key or a value of the wrong type.
    FileNotFoundError
        No such recipe; the message lists those there are.
    """
    return loaded(EmbeddingRecipe, FOLDER, name, overrides)
