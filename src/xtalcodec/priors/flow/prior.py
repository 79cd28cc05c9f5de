"""The flow prior: compositions, cells and latents of crystals, one after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.latents import CrystalCode, LatentSet
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.priors.base import Prior
from xtalcodec.priors.conditions import Conditions, Limits, PriorError
from xtalcodec.priors.flow.cells import cell_of, settled
from xtalcodec.priors.flow.crystals import FlowCrystals
from xtalcodec.priors.flow.facts import Facts
from xtalcodec.priors.flow.files import FORMAT, About, digest, read, write
from xtalcodec.priors.flow.integrate import follow, guided
from xtalcodec.priors.flow.network import ONE, FlowNetwork
from xtalcodec.priors.flow.settings import FlowConfig
from xtalcodec.priors.plan import Composition, Plan, SamplerConfig
from xtalcodec.representations.base import Patches, grouped

FARTHEST = 5.0
"""Deviations from the mean that a number of a cell's shape may be off: of held-out crystals one in 300 is further."""
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
    def _device(self) -> torch.device:
        return self.network.latent_mean.device

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
            terms = prior.network.loss(source.batch([seed, step]), torch.Generator().manual_seed(seed + step))
            optimiser.zero_grad()
            torch.stack([*terms.values()]).sum().backward()
            optimiser.step()
        prior.network.half().float().eval()  # as it is kept
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
        return self.filled(self.plan(n, seed, temperature, first), seed, temperature)

    @torch.no_grad()
    def plan(self, n: int, seed: int = 0, temperature: float = 1.0, first: int = 0) -> list[Plan]:
        """Draw compositions and cells.

        Parameters
        ----------
        n, seed, temperature, first
            As of `sample`.
        """
        if n < 1 or not temperature >= 0:
            raise PriorError(f"cannot draw {n} samples at the temperature {temperature:g}")
        numbers = range(first, first + n)
        rngs = [np.random.default_rng([seed, k]) for k in numbers]
        made = self._composed(rngs)
        names = [f"sample-{k + 1}" for k in numbers]
        cells = self._cells(names, made, rngs, temperature)
        return [Plan(names[i], made[i], *cells[i], number=k) for i, k in enumerate(numbers)]

    @torch.no_grad()
    def again(self, plans: Sequence[Plan], seed: int = 0, temperature: float = 1.0) -> list[Plan]:
        """Draw other cells for the compositions of plans: the next attempts at the same samples.

        Parameters
        ----------
        plans
            Of samples that came to nothing.
        seed, temperature
            As of `sample`.
        """
        rngs = [np.random.default_rng([seed, plan.number, 2, plan.attempt + 1]) for plan in plans]
        made = [plan.composition for plan in plans]
        cells = self._cells([plan.name for plan in plans], made, rngs, temperature)
        return [
            replace(plan, lattice=lattice, patches=patches, attempt=plan.attempt + 1)
            for plan, (lattice, patches) in zip(plans, cells, strict=True)
        ]

    def _cells(
        self,
        names: Sequence[str],
        made: Sequence[Composition],
        rngs: Sequence[np.random.Generator],
        temperature: float,
    ) -> list[tuple[Float[np.ndarray, "3 3"], Patches]]:
        """Draw cells for compositions, and lay their grids."""
        facts = self._told(len(made), made)
        start = torch.from_numpy(np.stack([rng.standard_normal((1, 6)) for rng in rngs])).float().to(self._device)
        shapes = self._follow(self.network.cells, temperature * start, ONE, facts, rngs, {})[:, 0]
        shapes = shapes.clamp(-FARTHEST, FARTHEST) * self.network.cell_deviation + self.network.cell_mean
        cells = []
        for name, composition, shape in zip(names, made, shapes.double().cpu().numpy(), strict=True):
            lattice = settled(cell_of(shape, composition.sites))
            try:
                cells.append((lattice, self.about.grid.open().grid_of(lattice, composition.sites)))
            except CrystalError as error:
                raise PriorError(f"{name}: {error}") from error
        return cells

    @torch.no_grad()
    def plan_in(
        self, lattice: Float[np.ndarray, "3 3"], patches: Patches, n: int, seed: int = 0, first: int = 0
    ) -> list[Plan]:
        """Draw compositions for a cell that is there already.

        Parameters
        ----------
        lattice
            Cell vectors, rows in Å.
        patches
            Of its grid.
        n, seed, first
            As of `plan`.
        """
        numbers = range(first, first + n)
        made = self._composed([np.random.default_rng([seed, k]) for k in numbers])
        return [Plan(f"sample-{k + 1}", one, lattice, patches, k) for k, one in zip(numbers, made, strict=True)]

    def _composed(self, rngs: Sequence[np.random.Generator]) -> list[Composition]:
        """Draw compositions that are as asked."""
        dice = np.stack([rng.random(2 * self.about.config.most_elements + 1) for rng in rngs])
        return self.network.compositions.draw(self._told(len(rngs)), self.conditions, self.about.limits, dice)

    @torch.no_grad()
    def filled(
        self, plans: Sequence[Plan], seed: int = 0, temperature: float = 1.0, part: CrystalCode | None = None
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
        """
        codes: dict[int, CrystalCode] = {}
        noise = min(self.sampler.noise, self.about.most_noise)
        for patches, rows in grouped([plan.patches for plan in plans]):
            own = [plans[k] for k in rows]
            rngs = [np.random.default_rng([seed, plan.number, 1, plan.attempt]) for plan in own]
            facts = self._told(len(own), [plan.composition for plan in own])
            shape = int(np.prod(patches)), self.about.latent
            start = torch.from_numpy(np.stack([rng.standard_normal(shape) for rng in rngs])).float().to(self._device)
            lattice = torch.from_numpy(np.stack([plan.lattice for plan in own])).float().to(self._device)
            given = {} if part is None else self._given(part, len(own))
            about = {"lattice": lattice, **given}
            z = self._follow(self.network.latents, temperature * start, patches, facts, rngs, about)
            z = z * self.network.latent_deviation + self.network.latent_mean
            for k, plan, row in zip(rows, own, z.cpu().numpy(), strict=True):
                basis = np.eye(3, dtype=np.int64)
                codes[k] = CrystalCode(plan.name, row, patches, plan.lattice, basis, noise=noise)
        return LatentSet(tuple(codes[k] for k in range(len(plans))), self.codec)

    def noised(
        self, z: Float[np.ndarray, "patches latent"], noise: float, n: int, seed: int = 0
    ) -> Float[np.ndarray, "n patches latent"]:
        """Bring a latent part of the way to noise, n times: where the flow is at the time 1 − noise.

        Parameters
        ----------
        z
            A latent.
        noise
            0 leaves it as it is, 1 leaves nothing of it.
        n
            How many.
        seed
            Of the noise.
        """
        mean, deviation = (x.double().cpu().numpy() for x in (self.network.latent_mean, self.network.latent_deviation))
        drawn = np.stack([np.random.default_rng([seed, k]).standard_normal(z.shape) for k in range(n)])
        return ((1 - noise) * z + noise * (mean + deviation * drawn)).astype(np.float32)

    @torch.no_grad()
    def carried(
        self,
        z: Float[np.ndarray, "n patches latent"],
        lattices: Float[np.ndarray, "n 3 3"],
        patches: Patches,
        since: float,
        until: float,
        holding: Sequence[Composition] | None = None,
    ) -> Float[np.ndarray, "n patches latent"]:
        """Carry latents along the flow from one time to another: to noise (1 to 0) and back (0 to 1).

        Parameters
        ----------
        z
            Latents of one grid; at time 0 noise, which has no scale of its own.
        lattices
            Cell of each, rows in Å.
        patches
            Of the grid.
        since, until
            Times.
        holding
            What each cell holds; None where that is not said.
        """
        x = torch.from_numpy(z.astype(np.float32)).to(self._device)
        mean, deviation = self.network.latent_mean, self.network.latent_deviation
        if since:
            x = (x - mean) / deviation
        facts = self._told(len(z), holding)
        lattice = torch.from_numpy(lattices).float().to(self._device)
        rngs = [np.random.default_rng(k) for k in range(len(z))]
        x = self._follow(self.network.latents, x, patches, facts, rngs, {"lattice": lattice}, since, until)
        return (x * deviation + mean if until else x).cpu().numpy()

    def _given(self, part: CrystalCode, n: int) -> dict[str, Tensor]:
        """What is there already, for each of so many cells."""
        z = (torch.from_numpy(part.z).to(self._device) - self.network.latent_mean) / self.network.latent_deviation
        return {"part": z.expand(n, -1, -1), "given": torch.ones(n, dtype=torch.bool, device=self._device)}

    def _told(self, n: int, compositions: Sequence[Composition] | None = None) -> Facts:
        """What so many crystals are told: what is asked, and what their cells hold."""
        config = self.about.config
        facts = Facts.asked_for(self.conditions, n, config.most_elements, config.properties)
        facts = facts if compositions is None else facts.holding(compositions)
        return self.network.scaled(facts.to(self._device))

    def _follow(
        self,
        network: Callable[..., Tensor],
        start: Float[Tensor, "b t numbers"],
        patches: Patches,
        facts: Facts,
        rngs: Sequence[np.random.Generator],
        about: Mapping[str, Tensor],
        since: float = 0.0,
        until: float = 1.0,
    ) -> Float[Tensor, "b t numbers"]:
        """Follow a network's flow, guided, with each crystal's own random numbers."""
        # cells are told in a plain voice: louder, one in a hundred is far too large
        guidance = self.sampler.guidance if network is self.network.latents else 1.0
        velocity = guided(network, guidance, patches, facts, about)

        def fresh() -> Tensor:
            drawn = np.stack([rng.standard_normal(start.shape[1:]) for rng in rngs])
            return torch.from_numpy(drawn).to(start)

        with _reduced(start.device):
            return follow(velocity, start, self.sampler, fresh, since, until)

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


def _reduced(device: torch.device) -> torch.autocast:
    """Bfloat16 where the processor multiplies it natively."""
    native = torch.cuda.is_bf16_supported() if device.type == "cuda" else torch.cpu._is_amx_tile_supported()  # noqa: SLF001
    return torch.autocast(device.type, torch.bfloat16, enabled=native)
