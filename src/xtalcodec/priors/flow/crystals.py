"""Training crystals of a flow: encoded anew at every step, with origins and parts at random."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from xtalcodec.codecs.base import Codec
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io.limits import first_reasons
from xtalcodec.priors.about import PriorError
from xtalcodec.priors.flow.cells import cell_numbers
from xtalcodec.priors.flow.facts import Facts
from xtalcodec.priors.flow.network import CellBatch, FlowBatch
from xtalcodec.priors.flow.parts import part_of
from xtalcodec.priors.flow.settings import FlowConfig
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.grid_groups import GridGroups

CELLS = 256
"""Cells and compositions of a step, of any grid."""

ENANTIOMORPHIC = frozenset(
    (76, 78, 91, 92, 95, 96, 144, 145, 151, 152, 153, 154, 169, 170, 171, 172, 178, 179, 180, 181, 212, 213)
)
"""Space groups whose mirror image is another one: the eleven pairs (International Tables A)."""


class FlowCrystals:
    """Placed crystals with what is known of them; a step's batch follows from its seed alone."""

    def __init__(self, codec: Codec, crystals: Sequence[Crystal], config: FlowConfig, batch_patches: int) -> None:
        """Place the crystals and look at each; `left_out` says which cannot be used, and why.

        Parameters
        ----------
        codec
            That encodes them; a periodic one.
        crystals
            To learn from.
        config
            How they are shown.
        batch_patches
            Patches of a step, about.

        Raises
        ------
        PriorError
            None of them can be used; the message says of the first ones why.
        """
        self.codec, self.config = codec, config
        self.left_out: list[tuple[str, str]] = []
        self.crystals: list[Crystal] = []
        grids = []
        for crystal in crystals:
            if reason := _too_much(crystal, config):
                self.left_out.append((crystal.name, reason))
                continue
            try:
                placed = codec.place(crystal)
            except CrystalError as error:
                self.left_out.append((crystal.name, str(error)))
                continue
            grids.append((placed.patches, len(self.crystals)))
            self.crystals.append(placed.crystal)
        if not self.crystals:
            raise PriorError(f"no crystal to fit, of {len(self.left_out)}{first_reasons(self.left_out)}")
        self.grids = GridGroups(grids, batch_patches)
        self.facts = Facts.of(self.crystals, config.most_elements, config.properties)
        self.cells = torch.from_numpy(np.stack([cell_numbers(c) for c in self.crystals])).float()

    def __len__(self) -> int:
        """Return the number of crystals in use."""
        return len(self.crystals)

    @torch.no_grad()
    def batch(self, seed: Sequence[int]) -> FlowBatch:
        """Draw crystals of a step, turn and move them at random, and encode them and parts of them."""
        rng = np.random.default_rng(list(seed))
        chosen, patches = self.grids.draw(rng)
        moved = [self._moved(k, rng) for k in chosen]
        device = self.codec.device
        whole = self.codec.representation.collate(moved, device)
        latent = self.codec.encode_batch(whole, patches).mean
        kept = torch.zeros_like(whole.mask)
        for row, crystal in enumerate(moved):
            if rng.random() < self.config.given:
                kept[row, : len(crystal)] = torch.from_numpy(part_of(crystal, rng)).to(device)
        given = kept.any(1)
        part = torch.zeros_like(latent)
        if bool(given.any()):
            part[given] = self.codec.encode_batch(_rows(replace(whole, mask=kept), given), patches).mean
        facts = self.facts[chosen].to(device)
        return FlowBatch(latent.float(), whole.lattice, patches, facts, part.float(), given)

    def cell_batch(self, seed: Sequence[int]) -> CellBatch:
        """Draw cells of a step."""
        chosen = torch.from_numpy(np.random.default_rng([*seed, 5]).integers(0, len(self.crystals), CELLS))
        device = self.codec.device
        return CellBatch(self.cells[chosen].to(device), self.facts[chosen].to(device))

    def _moved(self, k: int, rng: np.random.Generator) -> Crystal:
        """A crystal, or its mirror image where that has the same space group, on another origin."""
        crystal = self.crystals[k]
        if rng.random() < 0.5 and self.facts.space_group[k].item() not in ENANTIOMORPHIC:
            crystal = replace(crystal, frac_coords=-crystal.frac_coords)
        if self.config.origin == "random":
            return crystal.translated(rng.random(3))
        return crystal.translated(-crystal.frac_coords[rng.integers(len(crystal))])


def _rows(batch: CrystalBatch, rows: torch.Tensor) -> CrystalBatch:
    """Some crystals of a batch."""
    return CrystalBatch(batch.lattice[rows], batch.frac_coords[rows], batch.numbers[rows], batch.mask[rows])


def _too_much(crystal: Crystal, config: FlowConfig) -> str:
    """Why a crystal is not one that the prior learns; empty where it is."""
    if not crystal.is_ordered:
        return "it has shared or partly empty sites"
    if len(crystal) > config.most_sites:
        return f"{len(crystal)} sites, more than {config.most_sites}"
    if len(crystal.elements) > config.most_elements:
        return f"{len(crystal.elements)} elements, more than {config.most_elements}"
    return ""
