"""Training crystals of an embedding, each as it may also be seen, and the batch of every step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from xtalcodec.crystal import Crystal
from xtalcodec.embedding.embedding import Embedding, Of, packed
from xtalcodec.geometry.compositions import composition, of_one_composition
from xtalcodec.training.embedding_recipe import EmbeddingRecipe

TOGETHER = 8
"""Crystals of one composition that are in a batch together, at most."""


def distorted(crystal: Crystal, noise: float, strain: float, rng: np.random.Generator) -> Crystal:
    """Move every site at random, and strain the cell.

    Parameters
    ----------
    crystal
        In any cell.
    noise
        Å: standard deviation of a site along an axis.
    strain
        Largest entry of the symmetric strain.
    rng
        Random numbers.
    """
    entries = rng.uniform(-strain, strain, (3, 3))
    lattice = crystal.lattice @ (np.eye(3) + (entries + entries.T) / 2)
    steps = rng.normal(0, noise, crystal.frac_coords.shape) @ np.linalg.inv(lattice)
    return replace(crystal, lattice=lattice, frac_coords=crystal.frac_coords + steps)


def chosen(crystals: Sequence[Crystal], most: int, rng: np.random.Generator) -> list[int]:
    """Places of so many crystals, at random, but those that share their composition first.

    Parameters
    ----------
    crystals
        To choose from.
    most
        How many, at most.
    rng
        Random numbers.
    """
    groups = of_one_composition(crystals)
    order = rng.permutation(len(crystals)).tolist()
    order.sort(key=lambda k: len(groups[composition(crystals[k])]) == 1)  # stable: random within the two parts
    return sorted(order[:most])


@dataclass(frozen=True, slots=True)
class Views:
    """What the sites of every view of every crystal look like; the first view is the crystal itself."""

    sites: list[list[Float[Tensor, "_ features"]]]
    """Of each crystal, its views."""
    place: Float[Tensor, "crystals numbers"]
    """Mean and deviation of the features over the sites of a crystal, in their own deviations."""
    reach: Float[Tensor, " crystals"]
    """How far a crystal's other views are from it there, in the mean: what is nearer is not held to be another."""

    @classmethod
    def of(
        cls,
        crystals: Sequence[Crystal],
        embedding: Embedding,
        kind: Of,
        recipe: EmbeddingRecipe,
        progress: Callable[[int], None] = lambda _: None,
    ) -> "Views":
        """Make them.

        Parameters
        ----------
        crystals
            To learn from.
        embedding
            What it looks at.
        kind
            What vectors are to be of.
        recipe
            How many views, and how strongly they are distorted.
        progress
            Called with the number of crystals done since the last call.
        """
        rng = np.random.default_rng([recipe.seed, 1])
        sites = []
        for crystal in crystals:
            strengths = rng.uniform(0, 1, (recipe.views - 1, 2)) * (recipe.noise, recipe.strain)
            seen = [crystal, *(distorted(crystal, float(n), float(s), rng) for n, s in strengths)]
            sites.append([torch.from_numpy(embedding.sites(one, kind)).half() for one in seen])
            progress(1)
        place = torch.stack([torch.stack([_place(view) for view in views]) for views in sites])
        first = place[:, 0]
        place = (place - first.mean(0)) / first.std(0).clamp_min(1e-3)
        reach = (place[:, 1:] - place[:, :1]).norm(dim=-1).mean(1)
        return cls(sites, place[:, 0], reach)

    def alike(self, chosen: Sequence[int]) -> Bool[Tensor, "n n"]:
        """Which others of some crystals are so near that they may be the same."""
        index = torch.tensor(chosen)
        apart = torch.cdist(self.place[index], self.place[index])
        near = apart < torch.minimum(self.reach[index][:, None], self.reach[index])
        return near.fill_diagonal_(fill_value=False)

    def two(self, chosen: Sequence[int], rng: np.random.Generator) -> list[tuple[Tensor, Tensor, int]]:
        """Return two different views of each of some crystals, as two packed tables."""
        picks = np.array([rng.permutation(len(self.sites[k]))[:2] for k in chosen])
        return [packed([self.sites[k][v].float() for k, v in zip(chosen, row, strict=True)]) for row in picks.T]


def _place(sites: Float[Tensor, "n features"]) -> Float[Tensor, " numbers"]:
    x = sites.float()
    return torch.cat([x.mean(0), x.std(0, correction=0)])


@dataclass(frozen=True, slots=True)
class Batches:
    """Draws the crystals of each step: half of them in groups of one composition, half of them any."""

    groups: list[list[int]]
    """Crystals of one composition, where there are several."""
    crystals: int
    size: int
    form: Int[Tensor, " crystals"] = field(init=False)
    """The group that each crystal is of; −1 for none."""

    def __post_init__(self) -> None:
        """Note the groups once, not at every step."""
        form = torch.full((self.crystals,), -1)
        for k, group in enumerate(self.groups):
            form[group] = k
        object.__setattr__(self, "form", form)

    def draw(self, rng: np.random.Generator) -> list[int]:
        """Return places of crystals, each once."""
        drawn: list[int] = []
        while self.groups and len(drawn) < self.size // 2:
            group = self.groups[rng.integers(len(self.groups))]
            drawn += rng.permutation(group)[: min(TOGETHER, self.size - len(drawn))].tolist()
        drawn += rng.integers(self.crystals, size=self.size - len(drawn)).tolist()
        return list(dict.fromkeys(drawn))

    def rivals(self, drawn: Sequence[int]) -> Bool[Tensor, "n n"]:
        """Which two of some crystals are others of one composition."""
        own = self.form[torch.tensor(drawn)]
        return ((own[:, None] == own) & (own >= 0)).fill_diagonal_(fill_value=False)
