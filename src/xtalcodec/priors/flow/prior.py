"""The flow prior: compositions, cells and latents of crystals, one after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.latents import CrystalCode, LatentSet
from xtalcodec.crystal import Crystal
from xtalcodec.networks.threads import side_by_side
from xtalcodec.priors.base import Prior
from xtalcodec.priors.conditions import Conditions, Limits
from xtalcodec.priors.flow.batches import batches
from xtalcodec.priors.flow.crystals import FlowCrystals
from xtalcodec.priors.flow.files import FORMAT, About, digest, read, write
from xtalcodec.priors.flow.filling import Begun, filled
from xtalcodec.priors.flow.following import Follower
from xtalcodec.priors.flow.network import FlowNetwork
from xtalcodec.priors.flow.packed import packed, unpacked
from xtalcodec.priors.flow.planning import Planner
from xtalcodec.priors.flow.settings import FlowConfig, SamplerConfig
from xtalcodec.priors.flow.surprise import surprise
from xtalcodec.priors.plan import Plan

Made = TypeVar("Made")

SCALES = 40
"""Batches from which the scales of numbers are taken."""


@dataclass(frozen=True, slots=True, eq=False)
class FlowPrior(Prior):
    """Compositions by an autoregressive network, cells and latents by flow matching."""

    format: ClassVar[str] = FORMAT
    plans: ClassVar[bool] = True
    about: About
    network: FlowNetwork
    conditions: Conditions = field(default_factory=Conditions)

    @property
    def codec(self) -> str:
        """Identity of the codec."""
        return self.about.codec

    @property
    def flow(self) -> "FlowPrior":
        """Itself."""
        return self

    @property
    def sampler(self) -> SamplerConfig:
        """How it is followed."""
        return self.about.sampler

    @property
    def limits(self) -> Limits:
        """What it can be asked for."""
        return self.about.limits

    @property
    def crystals(self) -> int:
        """How many crystals it was fitted to."""
        return self.about.crystals

    @property
    def description(self) -> str:
        """Sizes."""
        count = sum(p.numel() for p in self.network.parameters())
        return f"flow of {count / 1e6:.1f} M weights, fitted to {self.crystals} crystals of up to {self._most} sites"

    @property
    def digest(self) -> str:
        """SHA-256 of all that shapes its samples but the seed: the same for the same weights, asked the same."""
        return digest(self.about, self.network, self.conditions)

    @property
    def _most(self) -> int:
        return self.about.config.most_sites

    @property
    def follower(self) -> Follower:
        """Its networks, told what is asked."""
        return Follower(self.about.config, self.network, self.sampler, self.conditions)

    @property
    def planner(self) -> Planner:
        """What draws compositions and cells."""
        return Planner(self.about, self.follower)

    @classmethod
    def untrained(cls, source: FlowCrystals, seed: int) -> "FlowPrior":
        """Make networks that have learnt nothing but the scales of what they are to make."""
        about = About.of(source)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = FlowNetwork(about.config, about.latent).to(source.codec.device)
        latents = [source.batch([seed, k, 3]).latent.flatten(0, 1) for k in range(SCALES)]
        network.standardise(
            torch.cat(latents), source.cells.to(source.codec.device), source.facts.properties.to(source.codec.device)
        )
        return cls(about, network)

    @classmethod
    def fit(  # type: ignore[override] # its own settings
        cls,
        codec: Codec,
        crystals: Sequence[Crystal],
        config: FlowConfig | None = None,
        *,
        steps: int = 1000,
        rate: float = 1e-3,
        batch_patches: int = 2048,
        seed: int = 0,
    ) -> "FlowPrior":
        """Fit crystals by plain AdamW; `xtalcodec train-prior` does long trainings, with checkpoints.

        Parameters
        ----------
        codec
            Whose latents the prior is of.
        crystals
            To fit.
        config
            Sizes.
        steps, rate, batch_patches
            Of the optimiser.
        seed
            The same seed gives the same prior.

        Raises
        ------
        PriorError
            A codec of windows; no crystal that can be used.
        """
        source = FlowCrystals(codec, crystals, config or FlowConfig(), batch_patches)
        prior = cls.untrained(source, seed)
        optimiser = torch.optim.AdamW(prior.network.parameters(), lr=rate)
        for step in range(steps):
            dice, words = torch.Generator().manual_seed(seed + step), [seed, step]
            terms = prior.network.cell_losses(source.cell_batch(words), dice)
            optimiser.zero_grad()
            torch.stack([prior.network.loss(source.batch(words), dice), *terms.values()]).sum().backward()
            optimiser.step()
        prior.network.load_state_dict(unpacked(packed(prior.network.state_dict())))  # as it is kept
        prior.network.eval()
        return prior

    # Sampling

    def condition(self, conditions: Conditions) -> "FlowPrior":
        """Return the prior of crystals that are as asked.

        Raises
        ------
        PriorError
            Conditions that contradict each other, or that this prior cannot obey.
        """
        conditions.check(self.limits)
        return replace(self, conditions=conditions)

    def sampled_by(self, sampler: SamplerConfig) -> "FlowPrior":
        """Return the same prior with another sampler."""
        return replace(self, about=replace(self.about, sampler=sampler))

    def sample(self, n: int, seed: int = 0, temperature: float = 1.0, first: int = 0) -> LatentSet:
        """Draw codes: compositions, cells, latents. A sample follows from the seed and its number alone.

        Parameters
        ----------
        n
            How many.
        seed
            Another gives other samples.
        temperature
            What the noise is multiplied by that the flows begin with.
        first
            Number of the first one.
        """
        return self.filled(self.planner.plan(n, seed, temperature, first), seed, temperature)

    def filled(
        self,
        plans: Sequence[Plan],
        seed: int = 0,
        temperature: float = 1.0,
        part: CrystalCode | None = None,
        begun: Begun | None = None,
    ) -> LatentSet:
        """Draw the latents of planned cells.

        Parameters
        ----------
        plans
            Cells.
        seed, temperature
            As of `sample`.
        part
            Code of what is there already, on the grid of all plans; None for nothing.
        begun
            Codes on the grids of the plans, which are brought back to noise in part; None to begin with noise alone.
        """
        told = min(self.sampler.noise, self.about.most_noise)

        def fill(rows: list[int]) -> list[CrystalCode]:
            own = [plans[k] for k in rows]
            return filled(self.follower, own, seed, temperature, part, begun and begun.of(rows), told)

        return LatentSet(tuple(self._in_batches(fill, plans)), self.codec)

    def surprise(self, plans: Sequence[Plan], codes: Sequence[CrystalCode], seed: int = 0) -> list[float]:
        """Return how much crystals surprise the flow, see `surprise.surprise`.

        Parameters
        ----------
        plans
            Their cells, compositions and groups.
        codes
            Of the crystals, on the grids of the plans.
        seed
            Of the noise.
        """

        def look(rows: list[int]) -> list[float]:
            return surprise(self.follower, [plans[k] for k in rows], [codes[k] for k in rows], seed)

        return self._in_batches(look, plans)

    def _in_batches(self, function: Callable[[list[int]], list[Made]], plans: Sequence[Plan]) -> list[Made]:
        """Return what a function makes of planned cells, of which it is told the rows."""
        rows = batches([plan.patches for plan in plans])
        made: dict[int, Made] = {}
        for own, results in zip(rows, side_by_side(function, rows, self.follower.device), strict=True):
            made |= zip(own, results, strict=True)
        return [made[k] for k in range(len(plans))]

    # Files

    def save(self, folder: str | Path, training: Mapping[str, Any] | None = None) -> None:
        """Write the prior to a folder: all of it, or the folder stays as it was.

        Parameters
        ----------
        folder
            Made if it is not there.
        training
            How it was trained, for its card.
        """
        write(folder, self.about, self.network, training)

    @classmethod
    def load(cls, folder: str | Path) -> "FlowPrior":
        """Read what `save` wrote.

        Raises
        ------
        PriorError
            A folder without a prior, or with one that is broken.
        """
        return cls(*read(folder))
