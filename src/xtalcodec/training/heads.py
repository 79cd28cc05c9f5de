"""Training a head: by absolute error, and how far it is off by what it sees of crystals that are kept back."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from xtalcodec.codecs.facts import provenance
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.compositions import Composition, composition
from xtalcodec.heads import files
from xtalcodec.heads.head import Head, HeadAbout, Look, Seen, packed, stretch_of
from xtalcodec.training.crystals import torch_seed
from xtalcodec.training.head_recipe import HeadRecipe
from xtalcodec.training.stepping import TrainingError, check_free

FEWEST = 30
"""Crystals that a head can be trained on."""
FEWEST_KEPT_BACK = 10
"""Crystals that say how far predictions are off, at least."""

Bar = Callable[[int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Crystals that were looked at, and a property of each."""

    seen: list[Seen]
    values: Float[np.ndarray, " n"]
    elements: list[frozenset[int]]
    compositions: list[Composition]

    def __len__(self) -> int:
        """Return the number of crystals."""
        return len(self.seen)

    def take(self, places: Sequence[int]) -> "Examples":
        """Return some of them."""
        return Examples(
            [self.seen[k] for k in places],
            self.values[list(places)],
            [self.elements[k] for k in places],
            [self.compositions[k] for k in places],
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a head is to predict."""

    property: str
    unit: str = ""
    least: float | None = None
    """The smallest value that the property can have, if there is one."""


def examples_of(
    crystals: Sequence[Crystal], values: Sequence[float], look: Look, advance: Bar = lambda _: None
) -> tuple[Examples, list[tuple[str, str]]]:
    """Look at crystals.

    Parameters
    ----------
    crystals
        Any.
    values
        The property of each.
    look
        Of a codec, `Codec.look`.
    advance
        Called with the number of crystals done since the last call.

    Returns
    -------
    Those of elements that the codec knows; names of the others, and why.
    """
    kept, seen, strange = [], [], []
    for k, crystal in enumerate(crystals):
        try:
            seen.append(look(crystal))
            kept.append(k)
        except CrystalError as error:
            strange.append((crystal.name, str(error)))
        advance(1)
    some = [crystals[k] for k in kept]
    numbers = np.array([values[k] for k in kept], dtype=np.float64)
    return Examples(seen, numbers, [frozenset(c.elements) for c in some], [composition(c) for c in some]), strange


def train_head(
    wanted: Wanted,
    data: Examples,
    codec: str,
    recipe: HeadRecipe,
    progress: Callable[[str, int], Bar] = lambda _, __: lambda ___: None,
    start: Head | None = None,
) -> tuple[Head, dict[str, Any]]:
    """Train a head.

    Parameters
    ----------
    wanted
        What it is to predict.
    data
        Crystals to learn from; some are kept back to calibrate the uncertainties.
    codec
        Identity of the codec that looked at them.
    recipe
        Everything that decides the training; they were looked at as it says.
    progress
        Given what is done and how many times, returns what is called with how many are done.
    start
        A head of another property, of the same codec, radii and sizes: the new one begins with what it has learnt.

    Returns
    -------
    head
        Calibrated.
    facts
        How many crystals were learnt from and kept back, the mean absolute error on these, the seconds it took.

    Raises
    ------
    TrainingError
        Too few crystals, a property that is the same for all, a value below the least, a start of other radii or sizes.
    """
    if start is not None and (start.about.looks, start.about.network) != (recipe.looks, recipe.network):
        raise TrainingError(
            f"the head for {start.about.property} is begun with as it is: {start.about.looks}, {start.about.network}"
        )
    if len(data) < FEWEST:
        raise TrainingError(f"{len(data)} crystals with {wanted.property} are too few: a head needs {FEWEST}")
    if np.ptp(data.values) == 0:
        raise TrainingError(
            f"{wanted.property} is {data.values[0]:g} for all of {len(data)} crystals: nothing to learn"
        )
    if wanted.least is not None and (lowest := data.values.min()) < wanted.least:
        raise TrainingError(
            f"{wanted.property} is {lowest:g} for a crystal, below {wanted.least:g}, the least it can be"
        )
    begun = time.monotonic()
    fit, back = (data.take(places) for places in split(data.compositions, recipe))
    elements = frozenset[int]().union(*fit.elements)
    back = known(back, elements)
    if not len(back):
        raise TrainingError("every crystal that is kept back has an element that no other has: give more crystals")
    about = HeadAbout(
        wanted.property, wanted.unit, codec, recipe.looks, tuple(sorted(elements)), wanted.least, 1.0, recipe.network
    )
    torch.manual_seed(torch_seed([recipe.seed, 0]))
    head = Head.untrained(about, fit.seen[0].sites.shape[1])
    _scale(head, fit, start)
    _learn(head, fit, recipe, progress("training", recipe.epochs))
    first = head.of_seen(back.seen)
    off = abs(first.values - back.values)
    calibrated = Head(replace(about, stretch=stretch_of(off, first.uncertainties)), head.network)
    facts = {"crystals_used": len(fit), "kept_back": len(back), "kept_back_mae": float(off.mean())}
    return calibrated, facts | {"seconds": round(time.monotonic() - begun)}


def split(compositions: Sequence[Composition], recipe: HeadRecipe) -> tuple[list[int], list[int]]:
    """Keep whole compositions back, drawn at random; return the places of what is learnt from, and of what is kept."""
    wanted = max(FEWEST_KEPT_BACK, round(recipe.kept_back * len(compositions)))
    groups: dict[Composition, list[int]] = {}
    for k, form in enumerate(compositions):
        groups.setdefault(form, []).append(k)
    forms = list(groups)
    back: list[int] = []
    for k in np.random.default_rng([recipe.seed, 1]).permutation(len(forms)):
        here = groups[forms[k]]
        if len(back) < wanted and len(back) + len(here) <= len(compositions) // 2:
            back += here
    kept = {*back}
    if not kept:
        raise TrainingError("more than half of the crystals are of one composition: nothing can be kept back")
    return [k for k in range(len(compositions)) if k not in kept], sorted(back)


def known(examples: Examples, elements: frozenset[int]) -> Examples:
    """Return the examples of these elements alone."""
    return examples.take([k for k, own in enumerate(examples.elements) if own <= elements])


def _scale(head: Head, fit: Examples, start: Head | None) -> None:
    """Take the scales of what goes in from the training crystals, or from the head that is begun with."""
    values = torch.from_numpy(fit.values).float()
    if start is not None:
        head.network.begin_with(start.network)
        head.network.aim(values)
        return
    compositions = torch.from_numpy(np.stack([one.composition for one in fit.seen]))
    head.network.calibrate(torch.from_numpy(np.concatenate([one.sites for one in fit.seen])), compositions, values)


def _learn(head: Head, fit: Examples, recipe: HeadRecipe, advance: Bar) -> None:
    """Lower the absolute error; the members learn what error to expect beside it."""
    network = head.network.train()
    values = torch.from_numpy(fit.values).float()
    optimiser = torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    steps = max(1, len(fit) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.epochs * steps + 1, pct_start=0.1
    )
    rng = np.random.default_rng([recipe.seed, 2])
    for _ in range(recipe.epochs):
        for places in np.array_split(rng.permutation(len(fit)), steps):
            value, error = network(*packed([fit.seen[k] for k in places]))
            off = (value - values[places]).abs() / network.width
            expected = error / network.width
            loss = (
                off.mean() + (off.detach() / expected + expected.log()).mean()
            )  # the second: of a Laplace distribution
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
        advance(1)
    network.eval()
    with torch.no_grad():  # as it is kept, so that the file predicts what was measured
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())


def measured(head: Head, test: Examples, typical: float) -> dict[str, Any]:
    """Measure a head on crystals that it has not seen.

    Parameters
    ----------
    head
        Calibrated.
    test
        Held-out crystals; those with an element that was never seen are predicted as `typical`, with nothing known.
    typical
        Median of the training crystals.

    Returns
    -------
    Crystals, how many of them are refused, mean absolute error and root of the mean square, coverage of the
    uncertainties, their mean, and the mean absolute error of `typical` for all.
    """
    asked = known(test, frozenset(head.about.elements))
    found = head.of_seen(asked.seen)
    off = abs(found.values - asked.values)
    refused = len(test) - len(asked)
    others = abs(test.values - typical).sum() - abs(asked.values - typical).sum()
    square = np.square(off).sum() + (np.square(test.values - typical).sum() - np.square(asked.values - typical).sum())
    return {
        "crystals": len(test),
        "refused": refused,
        "mae": float((off.sum() + others) / len(test)),
        "rmse": float(np.sqrt(square / len(test))),
        "coverage": float((off <= found.uncertainties).sum() / max(1, len(asked))),
        "uncertainty": float(found.uncertainties.mean()) if len(asked) else None,
        "mae_of_the_median": float(abs(test.values - typical).mean()),
    }


def keep(head: Head, out: Path, facts: Mapping[str, Any]) -> None:
    """Write a head with what is known of its training.

    Parameters
    ----------
    head
        Calibrated.
    out
        Its folder, made if it is not there.
    facts
        What the card says; commit, machine and versions are added.

    Raises
    ------
    TrainingError
        `out` holds a head already, or a codec, a prior, an embedding.
    """
    check_free(out)
    files.write(out, head, provenance(**facts))


def facts_of(recipe: HeadRecipe) -> dict[str, Any]:
    """What the card says of a recipe."""
    return {"seed": recipe.seed, "recipe": asdict(recipe)}
