"""What a cell holds: a small autoregressive network over the number of sites, then element after element.

A sequence is: start, number of sites, first element, its sites, second element, its sites …, elements ascending by
atomic number. What is asked for is obeyed by what may follow at every place.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from xtalcodec.crystal import HEAVIEST
from xtalcodec.priors.conditions import Conditions, Limits
from xtalcodec.priors.flow.facts import Facts
from xtalcodec.priors.flow.settings import FlowConfig
from xtalcodec.priors.flow.tokens import ConditionTokens
from xtalcodec.priors.plan import Composition


class Compositions(nn.Module):
    """Logits of what follows at each place of a sequence."""

    def __init__(self, config: FlowConfig) -> None:
        """Make the layers."""
        super().__init__()
        self.config, width = config, config.composition_width
        self.tokens = ConditionTokens(config, width)
        self.start = nn.Parameter(torch.zeros(width))
        self.number = nn.Embedding(config.most_sites + 1, width)
        self.element = nn.Embedding(HEAVIEST + 1, width)
        self.count = nn.Embedding(config.most_sites + 1, width)
        self.left = nn.Embedding(config.most_sites + 1, width)
        self.place = nn.Embedding(2 * config.most_elements + 2, width)
        layer = nn.TransformerEncoderLayer(
            width, 4, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, config.composition_layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.to_number = nn.Linear(width, config.most_sites + 1)
        self.to_element = nn.Linear(width, HEAVIEST + 1)
        self.to_count = nn.Linear(width, config.most_sites + 1)

    def hidden(self, sequence: Int[Tensor, "b s"], facts: Facts) -> Float[Tensor, "b s+1 width"]:
        """State at the start and after each entry of sequences (sites, element, count, element, count …).

        Parameters
        ----------
        sequence
            Padded with 0.
        facts
            Of which symmetry and properties are told.
        """
        parts = [self.start.expand(len(sequence), 1, -1)]
        if sequence.shape[1]:
            left = sequence[:, :1] - F.pad(sequence[:, 2::2].cumsum(1), (1, 0))  # after the number and every count
            parts.append((self.number(sequence[:, 0]) + self.left(left[:, 0]))[:, None])
            for k in range(1, sequence.shape[1]):
                own = self.element(sequence[:, k]) if k % 2 else self.count(sequence[:, k])
                parts.append((own + self.left(left[:, k // 2].clamp_min(0)))[:, None])
        h = torch.cat(parts, 1)
        h = h + self.place(torch.arange(h.shape[1], device=h.device)) + self._told(facts)[:, None]
        mask = nn.Transformer.generate_square_subsequent_mask(h.shape[1], device=h.device)
        return self.norm(self.layers(h, mask=mask, is_causal=True))

    def _told(self, facts: Facts) -> Float[Tensor, "b width"]:
        """Sum of the tokens of symmetry and properties."""
        nothing = torch.zeros_like(facts.elements)
        told = self.tokens(Facts(nothing, nothing, facts.sites * 0, facts.space_group, facts.system, facts.properties))
        return (told.values * told.known[..., None]).sum(1)

    def loss(self, facts: Facts, told: Facts) -> Float[Tensor, ""]:
        """Cross-entropy of what follows, over all places of the sequences, in nats a crystal.

        Parameters
        ----------
        facts
            Of the crystals.
        told
            What of them is told.
        """
        pairs = torch.stack([facts.elements, facts.counts], -1).flatten(1)  # b 2e
        sequence = torch.cat([facts.sites[:, None], pairs], 1)
        h = self.hidden(sequence[:, :-1], told)
        number = F.cross_entropy(self.to_number(h[:, 0]).float(), sequence[:, 0])
        there = facts.elements > 0
        rows = there.nonzero(as_tuple=True)
        element = F.cross_entropy(self.to_element(h[:, 1::2][rows]).float(), facts.elements[rows], reduction="sum")
        count = F.cross_entropy(self.to_count(h[:, 2::2][rows]).float(), facts.counts[rows], reduction="sum")
        return number + (element + count) / len(facts)

    @torch.no_grad()
    def draw(
        self, facts: Facts, conditions: Conditions, limits: Limits, dice: Float[np.ndarray, "b places"]
    ) -> list[Composition]:
        """Draw a composition for each row of facts.

        Parameters
        ----------
        facts
            Of which symmetry and properties are told.
        conditions
            That every composition obeys.
        limits
            What may be made.
        dice
            Numbers in [0, 1), 2 · most_elements + 1 a row: a row's composition depends on its own alone.
        """
        n, unit = len(facts), conditions.formula_unit
        numbers = self._numbers(conditions, limits)
        sequence = torch.zeros(n, 0, dtype=torch.long, device=self.start.device)
        chosen = _pick(self.to_number(self.hidden(sequence, facts)[:, -1]), numbers.expand(n, -1), dice[:, 0])
        sequence = chosen[:, None]
        elements: list[list[int]] = [[] for _ in range(n)]
        counts: list[list[int]] = [[] for _ in range(n)]
        left = chosen.tolist()
        for k in range(limits.most_elements):
            if not any(left):
                break
            rules = [Rule(conditions, unit, limits, e, total) for e, total in zip(elements, left, strict=True)]
            may = torch.from_numpy(np.stack([rule.elements() for rule in rules])).to(sequence.device)
            next_element = _pick(self.to_element(self.hidden(sequence, facts)[:, -1]), may, dice[:, 1 + 2 * k])
            sequence = torch.cat([sequence, next_element[:, None]], 1)
            total = chosen.tolist()
            may = torch.from_numpy(
                np.stack([r.counts(z, t) for r, z, t in zip(rules, next_element.tolist(), total, strict=True)])
            ).to(sequence.device)
            next_count = _pick(self.to_count(self.hidden(sequence, facts)[:, -1]), may, dice[:, 2 + 2 * k])
            sequence = torch.cat([sequence, next_count[:, None]], 1)
            for row, (z, count) in enumerate(zip(next_element.tolist(), next_count.tolist(), strict=True)):
                if left[row]:
                    elements[row].append(z)
                    counts[row].append(count)
                    left[row] -= count
        return [Composition(tuple(e), tuple(c)) for e, c in zip(elements, counts, strict=True)]

    def _numbers(self, conditions: Conditions, limits: Limits) -> Bool[Tensor, " n"]:
        """Which numbers of sites may be."""
        low, high = conditions.allowed(limits)
        n = torch.arange(self.config.most_sites + 1, device=self.start.device)
        may = (n >= max(low, len(conditions.elements), 1)) & (n <= high)
        return may & (n % conditions.unit == 0) if conditions.unit else may


@dataclass(frozen=True, slots=True)
class Rule:
    """What may follow in the sequence of one cell."""

    conditions: Conditions
    unit: dict[int, int]
    """Atoms of each element in a formula unit, where a composition is asked for."""
    limits: Limits
    before: list[int]
    """Elements so far."""
    left: int
    """Sites that are not given to an element yet; 0 where the sequence has ended."""

    def _wanted(self) -> list[int]:
        """Elements still to come, where they are asked for."""
        asked = sorted({*self.conditions.elements, *self.unit})
        return asked[len(self.before) :]

    def elements(self) -> Bool[np.ndarray, "119"]:
        """Which element may be next."""
        may = np.zeros(HEAVIEST + 1, dtype=bool)
        if not self.left:
            may[0] = True
        elif wanted := self._wanted():
            may[wanted[0]] = True
        else:
            last = self.before[-1] if self.before else 0
            may[[z for z in self.limits.elements if z > last]] = True
        return may

    def counts(self, element: int, sites: int) -> Bool[np.ndarray, " n"]:
        """How many sites the element may have.

        Parameters
        ----------
        element
            That is next.
        sites
            Of the whole cell.
        """
        may = np.zeros(self.limits.most_sites + 1, dtype=bool)
        if not self.left:
            may[0] = True
        elif self.unit:
            may[self.unit[element] * sites // self.conditions.unit] = True
        elif self.conditions.elements:
            after = len(self._wanted()) - 1
            may[1 : self.left - after + 1] = after > 0
            may[self.left] |= after == 0
        else:
            last = element >= self.limits.elements[-1] or len(self.before) + 1 == self.limits.most_elements
            may[1 : self.left + 1] = not last
            may[self.left] = True
        return may


def _pick(logits: Float[Tensor, "b k"], may: Bool[Tensor, "b k"], dice: Float[np.ndarray, " b"]) -> Int[Tensor, " b"]:
    """Draw one of the columns that may be, for each row, by a number in [0, 1)."""
    share = logits.double().masked_fill(~may, -torch.inf).softmax(-1).cumsum(-1)
    drawn = torch.from_numpy(dice).to(share)[:, None] * share[:, -1:]
    return torch.searchsorted(share, drawn, right=True).squeeze(1).clamp_max(may.shape[1] - 1)
