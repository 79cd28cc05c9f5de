"""What a cell holds: a small autoregressive network over the number of sites, then element after element.

A sequence is: start, number of sites, first element, its sites, second element, its sites …, elements ascending by
atomic number. What is asked for is obeyed by what may follow at every place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from xtalcodec.crystal import HEAVIEST
from xtalcodec.priors.conditions import Conditions, Limits
from xtalcodec.priors.flow.facts import Facts
from xtalcodec.priors.flow.settings import FlowConfig
from xtalcodec.priors.flow.tokens import ConditionTokens
from xtalcodec.priors.plan import Composition

DRAWN = 32
"""Compositions of which one is taken, where something is asked of them."""


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
            width, 4, 4 * width, dropout=config.dropout, activation="gelu", batch_first=True, norm_first=True
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
        return -self.log_likelihood(facts, told).mean()

    def log_likelihood(self, facts: Facts, told: Facts) -> Float[Tensor, " b"]:
        """Logarithm of the probability of compositions.

        Parameters
        ----------
        facts, told
            As of `loss`.
        """
        most = int((facts.elements > 0).sum(1).max())
        elements, counts = facts.elements[:, :most], facts.counts[:, :most]
        sequence = torch.cat([facts.sites[:, None], torch.stack([elements, counts], -1).flatten(1)], 1)
        with sdpa_kernel(SDPBackend.MATH):  # backwards, a processor's fused kernel is slow on short sequences
            h = self.hidden(sequence[:, :-1], told)
        number = _likelihood(self.to_number(h[:, 0]), sequence[:, 0])
        each = _likelihood(self.to_element(h[:, 1::2]), elements) + _likelihood(self.to_count(h[:, 2::2]), counts)
        return number + (each * (elements > 0)).sum(1)

    @torch.no_grad()
    def draw(
        self, facts: Facts, conditions: Conditions, limits: Limits, rngs: Sequence[np.random.Generator]
    ) -> list[Composition]:
        """Draw a composition for each row of facts.

        What is asked for is obeyed place by place, which knows nothing of what must follow: of oxygen and fluorine with
        others two oxygens may be likely, and of oxygen alone not. So of several that are drawn one is taken, as likely
        as the share is of what the network would have let follow at all its places (importance resampling).

        Parameters
        ----------
        facts
            Of which symmetry and properties are told.
        conditions
            That every composition obeys.
        limits
            What may be made.
        rngs
            One for each row, whose composition depends on it alone.
        """
        low, high = conditions.allowed(limits)
        asked = conditions.least or conditions.sites or conditions.composition
        one_alone = conditions.composition and low == high
        tries, places = DRAWN if asked and not one_alone else 1, 2 * limits.most_elements + 1
        dice = np.concatenate([rng.random((tries, places)) for rng in rngs])
        rows = torch.arange(len(facts)).repeat_interleave(tries)
        made, share = self._drawn(facts[rows], conditions, limits, dice)
        if tries == 1:
            return made
        weight = share.view(-1, tries).double().softmax(-1).cumsum(-1)
        chosen = torch.searchsorted(weight, torch.tensor([[rng.random()] for rng in rngs]).to(weight) * weight[:, -1:])
        return [made[k * tries + min(one, tries - 1)] for k, one in enumerate(chosen[:, 0].tolist())]

    def _drawn(
        self, facts: Facts, conditions: Conditions, limits: Limits, dice: Float[np.ndarray, "b places"]
    ) -> tuple[list[Composition], Float[Tensor, " b"]]:
        """Draw a composition for each row, and say the logarithm of the share of what could have followed that might.

        Parameters
        ----------
        facts, conditions, limits
            As of `draw`.
        dice
            Numbers in [0, 1).
        """
        n = len(facts)
        numbers = self._numbers(conditions, limits)
        sequence = torch.zeros(n, 0, dtype=torch.long, device=self.start.device)
        logits = self.to_number(self.hidden(sequence, facts)[:, -1])
        sites, share = _pick(logits, numbers.expand(n, -1), dice[:, 0])
        sequence = sites[:, None]
        rules = [Rule.of(conditions, limits, total) for total in sites.tolist()]
        for k in range(limits.most_elements):
            if not any(rule.left for rule in rules):
                break
            may = torch.from_numpy(np.stack([rule.elements() for rule in rules])).to(sequence.device)
            element, of_elements = _pick(self.to_element(self.hidden(sequence, facts)[:, -1]), may, dice[:, 1 + 2 * k])
            sequence = torch.cat([sequence, element[:, None]], 1)
            may = torch.from_numpy(np.stack([r.counts(z) for r, z in zip(rules, element.tolist(), strict=True)]))
            logits = self.to_count(self.hidden(sequence, facts)[:, -1])
            count, of_counts = _pick(logits, may.to(sequence.device), dice[:, 2 + 2 * k])
            share = share + torch.where(element > 0, of_elements + of_counts, 0.0)
            sequence = torch.cat([sequence, count[:, None]], 1)
            pairs = zip(element.tolist(), count.tolist(), strict=True)
            rules = [rule.after(z, c) for rule, (z, c) in zip(rules, pairs, strict=True)]
        return [Composition(tuple(rule.made), tuple(rule.made.values())) for rule in rules], share

    def _numbers(self, conditions: Conditions, limits: Limits) -> Bool[Tensor, " n"]:
        """Which numbers of sites may be."""
        low, high = conditions.allowed(limits)
        n = torch.arange(self.config.most_sites + 1, device=self.start.device)
        may = (n >= max(low, sum(conditions.least.values()), 1)) & (n <= high)
        return may & (n % conditions.unit == 0) if conditions.unit else may


@dataclass(frozen=True, slots=True)
class Rule:
    """What may follow in the sequence of one cell."""

    limits: Limits
    least: dict[int, int]
    """Atoms of each element that the cell is to hold at least."""
    only: tuple[int, ...]
    """Elements that it may hold, ascending."""
    left: int
    """Sites that are not given to an element yet; 0 where the sequence has ended."""
    made: dict[int, int]
    """Sites of each element so far."""

    @classmethod
    def of(cls, conditions: Conditions, limits: Limits, sites: int) -> "Rule":
        """Begin the sequence of a cell.

        Parameters
        ----------
        conditions
            What is asked.
        limits
            What may be made.
        sites
            Of the cell.
        """
        least, only = conditions.least, conditions.elements
        if unit := conditions.formula_unit:
            least = {z: count * sites // conditions.unit for z, count in unit.items()}
            only = tuple(least)
        return cls(limits, least, tuple(sorted(only)) or limits.elements, sites, {})

    def after(self, element: int, count: int) -> "Rule":
        """Go on after an element and its sites; where the sequence has ended, nothing changes."""
        if not self.left:
            return self
        return replace(self, left=self.left - count, made=self.made | {element: count})

    def _wanted(self, element: int = 0) -> dict[int, int]:
        """What is still to come, after an element: atomic number and least count."""
        return {z: count for z, count in self.least.items() if z not in self.made and z > element}

    def _free(self) -> int:
        """Sites that no element is to have."""
        return self.left - sum(self._wanted().values())

    def elements(self) -> Bool[np.ndarray, "119"]:
        """Which element may be next: none may be passed over that is wanted."""
        may = np.zeros(HEAVIEST + 1, dtype=bool)
        if not self.left:
            may[0] = True
            return may
        wanted, last = self._wanted(), max(self.made, default=0)
        others = self._free() and len(self.made) + len(wanted) < self.limits.most_elements
        first = min(wanted, default=HEAVIEST + 1)
        if wanted:
            may[first] = True
        if others:
            may[[z for z in self.only if last < z < first]] = True
        return may

    def counts(self, element: int) -> Bool[np.ndarray, " n"]:
        """How many sites the element may have: at least its own, all that are left where nothing can follow."""
        may = np.zeros(self.limits.most_sites + 1, dtype=bool)
        if not self.left:
            may[0] = True
            return may
        wanted = self._wanted(element)
        most = self.left - sum(wanted.values())
        slots = len(self.made) + 1 + len(wanted) < self.limits.most_elements
        more = wanted or (slots and any(z > element for z in self.only))
        may[self.least.get(element, 1) if more else most : most + 1] = True
        return may


def _likelihood(logits: Float[Tensor, "*b k"], what: Int[Tensor, "*b"]) -> Float[Tensor, "*b"]:
    """Logarithm of the probability of one column of each row."""
    return logits.float().log_softmax(-1).gather(-1, what[..., None]).squeeze(-1)


def _pick(
    logits: Float[Tensor, "b k"], may: Bool[Tensor, "b k"], dice: Float[np.ndarray, " b"]
) -> tuple[Int[Tensor, " b"], Float[Tensor, " b"]]:
    """Draw one of the columns that may be, for each row, by a number in [0, 1); and the logarithm of their share."""
    all_of_them = logits.double().log_softmax(-1).masked_fill(~may, -torch.inf).logsumexp(-1)
    share = logits.double().masked_fill(~may, -torch.inf).softmax(-1).cumsum(-1)
    drawn = torch.from_numpy(dice).to(share)[:, None] * share[:, -1:]
    return torch.searchsorted(share, drawn, right=True).squeeze(1).clamp_max(may.shape[1] - 1), all_of_them
