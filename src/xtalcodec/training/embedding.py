"""Training an embedding by contrast: views of one crystal are to be nearer to each other than to any other crystal.

The two networks are trained one after the other. A checkpoint holds both, and the optimiser of the one that is trained;
views and batches follow from the seed and the step, so that a training that goes on ends as one that was not stopped.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.facts import provenance
from xtalcodec.crystal import Crystal
from xtalcodec.embedding import files
from xtalcodec.embedding.embedding import KINDS, About, Embedding, EmbeddingError, Of, packed
from xtalcodec.geometry.compositions import of_one_composition
from xtalcodec.io.atomic import atomic
from xtalcodec.training import checkpoint
from xtalcodec.training.crystals import torch_seed
from xtalcodec.training.embedding_recipe import EmbeddingRecipe
from xtalcodec.training.embedding_views import Batches, Views, chosen
from xtalcodec.training.stepping import CHECKPOINT, TrainingError, claimed, identity_of, prepare

CURVE = "curve.jsonl"
"""Loss and held-out scores, some steps apart."""
EVERY = 100
"""Steps between two lines of it, and between two checkpoints."""

OPTIMISER = "adamw"
"""Name of the optimiser in a checkpoint."""

WIDTH = 0.05
"""Of the steps of `ranking_loss`, in likeness."""

Bar = Callable[[int], None]


def likeness_loss(
    a: Float[Tensor, "n size"], b: Float[Tensor, "n size"], alike: Bool[Tensor, "n n"], temperature: float
) -> Float[Tensor, ""]:
    """InfoNCE (van den Oord et al. 2018), both ways: row k of each is to be nearest to row k of the other.

    Parameters
    ----------
    a, b
        Vectors of two views of the same crystals.
    alike
        Pairs of crystals that may be the same, and do not count as different.
    temperature
        Of the softmax.
    """
    scores = (a @ b.T / temperature).masked_fill(alike, -torch.inf)
    right = torch.arange(len(a), device=a.device)
    return (F.cross_entropy(scores, right) + F.cross_entropy(scores.T, right)) / 2


def ranking_loss(
    a: Float[Tensor, "n size"], b: Float[Tensor, "n size"], rivals: Bool[Tensor, "n n"]
) -> Float[Tensor, ""]:
    """RankNet (Burges et al. 2005): two views of any crystal are to be more alike than any two rivals.

    The area under the ROC curve with soft steps: likeness is to mean the same in all crystals, while `likeness_loss`
    compares within the row of each alone.

    Parameters
    ----------
    a, b
        Vectors of two views of the same crystals.
    rivals
        Pairs of other structures that are easily taken for one.
    """
    scores = a @ b.T
    if not rivals.any():
        return scores.new_zeros(())
    return F.softplus((scores[rivals] - scores.diagonal()[:, None]) / WIDTH).mean()


def train_embedding(
    recipe: EmbeddingRecipe,
    data: Sequence[Crystal],
    held_out: Sequence[Crystal],
    out: Path,
    *,
    resume: bool = False,
    facts: Mapping[str, Any] | None = None,
    progress: Callable[[str, int], Bar] = lambda _, __: lambda ___: None,
) -> Embedding:
    """Train both networks of an embedding and keep it in `out`.

    Parameters
    ----------
    recipe
        Everything that decides the training.
    data
        Crystals to learn from.
    held_out
        Crystals that tell how well it goes.
    out
        Folder of the embedding, of its checkpoint and of its learning curve.
    resume
        Go on from the checkpoint in `out`.
    facts
        What else the card should say.
    progress
        Given what is done and how many times, returns what is called with how many are done.

    Raises
    ------
    OccupiedError
        Another training writes to `out`.
    TrainingError
        `out` holds an embedding already, or a training and `resume` is not set, or one of another recipe; no crystal
        that can be used.
    EmbeddingError
        A codec without learnt density channels.
    """
    with claimed(out):
        codec = Codec.from_pretrained(recipe.codec)
        if codec.channels is None:
            raise EmbeddingError(f"the codec {recipe.codec!r} has no learnt density channels to embed crystals by")
        used = _usable(data, codec, recipe)
        crystals = [used[k] for k in chosen(used, recipe.crystals, np.random.default_rng(recipe.seed))]
        tests = [crystal for crystal in _usable(held_out, codec, recipe) if {*crystal.elements} <= _elements(crystals)]
        if len(crystals) < 2 or len(tests) < 2:
            raise TrainingError(f"too few crystals: {len(crystals)} to learn from, {len(tests)} held out")
        about = About(codec.identity, tuple(sorted(_elements(crystals))), recipe.looks)
        torch.manual_seed(torch_seed([recipe.seed, 0]))
        embedding = Embedding.untrained(about, codec.channels)
        identity = identity_of(data, held_out)
        prepare(out, recipe, identity, resume)
        stage = _Stage.resumed(out / CHECKPOINT, embedding) if resume and (out / CHECKPOINT).is_file() else _Stage()
        start = time.monotonic() - stage.seconds

        def keep(stage: _Stage, row: Mapping[str, Any], optimiser: torch.optim.Optimizer) -> None:
            stage.curve.append({"of": stage.of, "step": stage.step, **row})
            now = replace(stage, seconds=time.monotonic() - start)
            checkpoint.save(out / CHECKPOINT, _both(embedding), {OPTIMISER: optimiser}, asdict(now), identity)

        for kind in KINDS[KINDS.index(stage.of) :]:
            stage = stage if kind == stage.of else replace(stage, of=kind, step=0)
            _train(embedding, stage, out / CHECKPOINT, crystals, tests, recipe, keep, progress)
        scores = {row["of"]: row["recall"] for row in stage.curve}  # the last of each
        known = {**(facts or {}), "seed": recipe.seed, "crystals_used": len(crystals), "held_out_recall": scores}
        known |= {
            "steps": recipe.steps,
            "seconds": round(time.monotonic() - start),
            "recipe": {**asdict(recipe), "codec": codec.config.name},
        }
        files.write(out, embedding, provenance(**known))
        with atomic(out / CURVE) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in stage.curve))
        (out / CHECKPOINT).unlink()
        return embedding


@dataclass(frozen=True, slots=True)
class _Stage:
    """How far a training is."""

    of: Of = KINDS[0]
    """The network that is trained; those before it are done."""
    step: int = 0
    seconds: float = 0.0
    curve: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def resumed(cls, path: Path, embedding: Embedding) -> "_Stage":
        """Put the networks of a checkpoint back, and return how far it is."""
        return cls(**checkpoint.load(path, _both(embedding), {}))


def _both(embedding: Embedding) -> torch.nn.ModuleDict:
    return torch.nn.ModuleDict({of: embedding.networks[of] for of in KINDS})


def _usable(crystals: Sequence[Crystal], codec: Codec, recipe: EmbeddingRecipe) -> list[Crystal]:
    """Crystals of elements that the codec knows, with no more sites than the recipe says."""
    known = {*codec.config.elements}
    return [crystal for crystal in crystals if len(crystal) <= recipe.largest and {*crystal.elements} <= known]


def _elements(crystals: Sequence[Crystal]) -> set[int]:
    return {z for crystal in crystals for z in crystal.elements}


def _train(
    embedding: Embedding,
    stage: _Stage,
    path: Path,
    crystals: Sequence[Crystal],
    tests: Sequence[Crystal],
    recipe: EmbeddingRecipe,
    keep: Callable[[_Stage, Mapping[str, Any], torch.optim.Optimizer], None],
    progress: Callable[[str, int], Bar],
) -> None:
    """Train one of the networks, from the step on where it stands.

    Parameters
    ----------
    embedding
        Whose networks they are.
    stage
        Which one, and how far it is.
    path
        Of the checkpoint with its optimiser, unless it is at the beginning.
    crystals, tests
        To learn from, and held out.
    recipe
        Everything that decides the training.
    keep
        Called now and then with how far it is, loss and recall, and the optimiser.
    progress
        As of `train_embedding`.
    """
    advance = progress(f"views ({stage.of})", len(crystals) + len(tests))
    views = Views.of(crystals, embedding, stage.of, recipe, advance)
    others = Views.of(tests, embedding, stage.of, recipe, advance)
    network = embedding.networks[stage.of].train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.steps + 1, pct_start=0.05, div_factor=20
    )
    if stage.step:
        checkpoint.load(path, _both(embedding), {OPTIMISER: optimiser})
        schedule.load_state_dict(schedule.state_dict() | {"last_epoch": stage.step - 1, "_step_count": stage.step + 1})
        schedule.step()  # sets the rates of the next step
    else:
        network.calibrate(torch.cat([seen[0] for seen in views.sites]).float())
    groups = [group for group in of_one_composition(crystals).values() if len(group) > 1]
    batches = Batches(groups, len(crystals), min(recipe.batch, len(crystals)))
    advance = progress(f"training ({stage.of})", recipe.steps)
    advance(stage.step)
    for step in range(stage.step + 1, recipe.steps + 1):
        rng = np.random.default_rng([recipe.seed, 2, step])
        drawn = batches.draw(rng)
        a, b = (network(*table) for table in views.two(drawn, rng))
        alike = views.alike(drawn)
        loss = likeness_loss(a, b, alike, recipe.temperature)
        if recipe.ranking:
            loss = loss + recipe.ranking * ranking_loss(a, b, batches.rivals(drawn) & ~alike)
        if not torch.isfinite(loss):
            raise TrainingError(f"the loss is not finite at step {step}")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % EVERY == 0 or step == recipe.steps:
            row = {"loss": float(loss.detach()), "recall": recall(network, others)}
            keep(replace(stage, step=step), row, optimiser)
        advance(1)
    network.eval()


@torch.no_grad()
def recall(network: torch.nn.Module, views: Views) -> float:
    """Share of the crystals to whose second view the crystal itself is nearer than all others that are not alike."""
    vectors = [network(*packed([seen[k].float() for seen in views.sites])) for k in (0, 1)]
    alike = views.alike(range(len(views.sites)))
    scores = (vectors[1] @ vectors[0].T).masked_fill(alike, -torch.inf)
    return float((scores.argmax(1) == torch.arange(len(scores))).float().mean())
