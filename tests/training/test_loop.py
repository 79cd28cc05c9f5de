"""Training goes on exactly where it stopped, however it stopped."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.patch import PatchCodec
from xtalcodec.io.write import write_parquet
from xtalcodec.training import checkpoint, loop
from xtalcodec.training.loop import TrainingError, train
from xtalcodec.training.optimisers import OptimiserConfig
from xtalcodec.training.recipe import load

SMALL = [
    "codec.network.width=24", "codec.network.heads=2",
    "codec.network.encoder_layers=1", "codec.network.decoder_layers=1",
    "optimiser.patches=64", "optimiser.warmup=2", "sample=2", "precision=fp32",
]  # fmt: skip

DECODER = (
    "decoder.", "from_latent.", "lattice_out.", "norm_out.", "level.", "geometry.", "appearance.", "species_head.",
    "sharing_head.",
)  # fmt: skip


@pytest.fixture(scope="module")
def crystals(prototypes):
    return [c for c in prototypes if len(c) < 9][:30]


def curve(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]


def weights(folder: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(folder / "checkpoint.safetensors")


@pytest.mark.slow
def test_resuming_gives_the_curve_of_an_uninterrupted_training(tmp_path, crystals):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    words = [*SMALL, "optimiser.steps=8", "average=0.9"]
    recipe = load("mp", words)
    train(recipe, crystals, crystals[:2], whole, device="cpu")

    class StopError(Exception):
        pass

    real, done = loop.take_step, []

    def stopping(*arguments):
        if len(done) == 5:
            raise StopError
        done.append(1)
        return real(*arguments)

    loop.take_step = stopping
    try:
        with pytest.raises(StopError):
            train(
                load("mp", [*words, "checkpoint_minutes=0"]),
                crystals,
                crystals[:2],
                parts,
                device="cpu",
            )
    finally:
        loop.take_step = real
    (parts / "recipe.yaml").write_text((whole / "recipe.yaml").read_text())
    train(recipe, crystals, crystals[:2], parts, resume=True, device="cpu")
    there, here = weights(whole), weights(parts)
    assert all(np.array_equal(there[key], here[key]) for key in there)


def test_a_training_that_exists_is_not_overwritten(tmp_path, crystals):
    recipe = load("mp", [*SMALL, "optimiser.steps=1"])
    train(recipe, crystals, crystals[:2], tmp_path, device="cpu")
    with pytest.raises(TrainingError, match="already holds a training"):
        train(recipe, crystals, crystals[:2], tmp_path, device="cpu")


def test_held_out_crystals_are_looked_at_once_at_a_step(tmp_path, crystals):
    recipe = load("mp", [*SMALL, "optimiser.steps=2", "checkpoint_minutes=0"])
    for resume in (False, True):
        train(recipe, crystals, crystals[:2], tmp_path, resume=resume, device="cpu")
        assert [row["step"] for row in curve(tmp_path) if "val/count_rate" in row] == [1, 2]


def test_resuming_with_other_data_is_refused(tmp_path, crystals):
    recipe, own, val = load("mp", [*SMALL, "optimiser.steps=1", "augment.derived=0"]), crystals[:4], []
    train(recipe, own, val, tmp_path, device="cpu")
    moved = own[0].translated(np.array([0.1, 0, 0]))
    swapped = [own[1], own[0], *own[2:]]
    for data, others, named in (
        ([*own, own[0]], val, "--data"),
        ([moved, *own[1:]], val, "--data"),
        (swapped, val, "--data"),
        (own, own[:1], "--val"),
        (own[:3], own[:1], "--data and --val"),
    ):
        with pytest.raises(TrainingError, match=f"was begun with another {named}; resume with the same"):
            train(recipe, data, others, tmp_path, resume=True, device="cpu")
    train(recipe, own, val, tmp_path, resume=True, device="cpu")


def test_a_checkpoint_that_does_not_say_its_data_is_resumed_from(tmp_path, crystals):
    from safetensors.torch import load_file, save_file

    recipe = load("mp", [*SMALL, "optimiser.steps=1", "augment.derived=0"])
    train(recipe, crystals[:4], [], tmp_path, device="cpu")
    file = tmp_path / "checkpoint.safetensors"
    about = json.dumps({"step": 1, "crystals": 4, "seconds": 0.1})
    save_file(load_file(file), file, metadata={"kind": checkpoint.KIND, "about": about})
    assert checkpoint.data_of(file) is None
    train(recipe, crystals[:4], [], tmp_path, resume=True, device="cpu")
    assert checkpoint.data_of(file)["data"]["number"] == 4


@pytest.mark.parametrize("recipe", ["mp", "linear-unit-cell"])
@pytest.mark.parametrize("resume", [False, True])
def test_a_codec_without_a_training_to_go_on_with_is_not_overwritten(tmp_path, crystals, monkeypatch, recipe, resume):
    monkeypatch.setattr(loop, "open_codec", None)  # nothing is computed before
    Codec.from_pretrained("linear-unit-cell").save_pretrained(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(TrainingError, match="holds a codec already: name another folder"):
        train(load(recipe), crystals, crystals[:2], tmp_path, resume=resume, device="cpu")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_resuming_with_another_recipe_is_refused(tmp_path, crystals):
    train(load("mp", [*SMALL, "optimiser.steps=1"]), crystals, crystals[:2], tmp_path, device="cpu")
    with pytest.raises(TrainingError, match="another recipe"):
        train(load("mp", [*SMALL, "optimiser.steps=2"]), crystals, crystals[:2], tmp_path, resume=True, device="cpu")


def test_the_trained_codec_loads_and_its_card_tells_how(tmp_path, crystals):
    recipe = load("mp", [*SMALL, "optimiser.steps=2"])
    codec = train(recipe, crystals, crystals[:2], tmp_path, device="cpu", facts={"data": "prototypes"})
    assert Codec.from_pretrained(tmp_path).identity == codec.identity
    card = (tmp_path / "README.md").read_text()
    assert "license: other\nlicense_name: unknown" in card
    assert "prototypes: 30 crystals" in card
    assert "2 steps" in card
    assert list((tmp_path / "tensorboard").glob("events*"))


def command(data: Path, out: Path, *more: str) -> list[str]:
    words = [sys.executable, "-m", "xtalcodec", "train", "mp", *SMALL, "optimiser.steps=12", "checkpoint_minutes=0"]
    return [*words, "--data", str(data), "--val", str(data), "--out", str(out), "--device", "cpu", *more]


@pytest.mark.slow
def test_a_training_killed_outright_resumes(tmp_path, crystals):
    data, out, whole = tmp_path / "data.parquet", tmp_path / "run", tmp_path / "whole"
    write_parquet(crystals, data)
    quiet = {"stdout": subprocess.DEVNULL, "env": os.environ | {"OMP_NUM_THREADS": "1"}}
    with subprocess.Popen(command(data, out), **quiet) as process:
        while not (out / "curve.jsonl").is_file() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    subprocess.run(command(data, out, "--resume"), check=True, **quiet)
    subprocess.run(command(data, whole), check=True, **quiet)
    there, here = weights(whole), weights(out)
    assert all(np.array_equal(there[key], here[key]) for key in there)
    assert curve(out)[-1]["step"] == 12


TELLING = """
import hashlib, json, os, time
from pathlib import Path
from types import SimpleNamespace
from xtalcodec import cli
from xtalcodec.training import loop, stepping

rank, taken, step = int(os.environ["RANK"]), [], loop.take_step
loop.time = stepping.time = SimpleNamespace(monotonic=lambda: (1 + 2 * rank) * time.monotonic())

def noted(losses, model, *more):
    taken.append(model)
    return step(losses, model, *more)

loop.take_step = noted
try:
    cli.main()
finally:
    weights = {name.removeprefix("module."): w.detach().numpy().tobytes() for name, w in taken[-1].named_parameters()}
    digest = hashlib.sha256(b"".join(name.encode() + weights[name] for name in sorted(weights))).hexdigest()
    told = {"steps": len(taken), "weights": digest, "wrapped": type(taken[-1]).__name__}
    Path(os.environ["TOLD"], f"{rank}.json").write_text(json.dumps(told))
"""
"""The command line, on a machine where the second process's clock runs three times as fast; every process tells
how many steps it took and what its weights are."""


def under_torchrun(folder: Path, *words: str) -> list[dict]:
    """What two processes tell of a training that both end."""
    (folder / "telling.py").write_text(TELLING)
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TOLD": str(folder)}
    words = [*run, str(folder / "telling.py"), "train", *words, "--out", str(folder / "run"), "--device", "cpu"]
    with subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            _, errors = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.terminate()  # torchrun ends those that it started: one waits for the other
            raise
    assert process.returncode == 0, errors
    told = [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]
    assert [x["wrapped"] for x in told] == ["DistributedDataParallel"] * 2
    return told


@pytest.mark.slow
def test_processes_whose_clocks_differ_take_the_same_steps_to_the_same_weights(tmp_path, crystals):
    data = tmp_path / "data.parquet"
    write_parquet(crystals, data)
    words = [*SMALL, "checkpoint_minutes=0.01", "--minutes", "0.05", "--data", str(data), "--val", str(data)]
    first, second = under_torchrun(tmp_path, "mp", *words)
    assert first == second
    about = json.loads((tmp_path / "run" / "training.json").read_text())
    assert about["step"] == first["steps"] > 1
    assert 3 <= about["seconds"] < 30
    assert Codec.from_pretrained(tmp_path / "run").config.name == "mp"


@pytest.mark.slow
def test_without_a_segmentation_loss_no_process_waits_for_its_gradients(tmp_path, crystals):
    data = tmp_path / "data.parquet"
    write_parquet(crystals, data)
    small = ["codec.network.scale=0.03", "optimiser.steps=3", "optimiser.patches=2", "sample=0", "precision=fp32"]
    words = [*small, "codec.network.segmentation_weight=0", "--data", str(data), "--val", str(data)]
    first, second = under_torchrun(tmp_path, "hoffmann-narrow", *words)
    assert first == second
    assert first["steps"] == 3


def test_the_codec_that_is_kept_is_the_average(tmp_path, crystals):
    """It has the average's weights, and not those that the last step left."""
    words = [*SMALL, "optimiser.warmup=1", "frozen=encoder", f"start={tmp_path / 'start'}"]
    train(load("mp", [*SMALL, "optimiser.steps=0"]), crystals, [], tmp_path / "start", device="cpu")
    codec = train(load("mp", [*words, "optimiser.steps=3", "average=0.999"]), crystals, [], tmp_path / "mean")
    state = weights(tmp_path / "mean")
    kept = codec.network.state_dict()
    assert not codec.network.training
    still = {key for key in kept if not key.startswith(DECODER)}
    first = Codec.from_pretrained(tmp_path / "start").network.state_dict()
    last = {key: torch.from_numpy(state[f"network.network.{key}"]) for key in kept}
    for other in (first, last):
        same = {key for key, value in kept.items() if torch.allclose(value, other[key], rtol=1e-3, atol=1e-6)}
        assert same >= still, "what does not learn is its own average"
        assert len(kept.keys() - same) > len(kept.keys() - still) / 2, "what learns is neither the first nor the last"
    for key, value in Codec.from_pretrained(tmp_path / "mean").network.state_dict().items():
        np.testing.assert_allclose(value, state[f"network.average.module.{key}"], rtol=1e-2, atol=1e-3)


def test_epochs_are_passes_whatever_the_patches_of_a_crystal(tmp_path, crystals):
    recipe = load("mp", [*SMALL, "optimiser.epochs=3", "augment.derived=0"])
    train(recipe, crystals, [], tmp_path, device="cpu")
    about = json.loads((tmp_path / "training.json").read_text())
    assert about["crystals"] == pytest.approx(3 * len(crystals), abs=24)


def test_elements_of_what_is_left_out_are_not_learnt(tmp_path, crystals):
    large = replace(crystals[0], name="large", lattice=30 * np.eye(3), numbers=np.full(len(crystals[0]), 96))
    words = [*SMALL, "optimiser.steps=1", "largest=200", "augment.substitute=0", "augment.species=3"]
    own = {z for crystal in crystals for z in crystal.elements}
    for mix, seen in ((0, own), (0.1, own | {1, 2, 3})):
        out = tmp_path / str(mix)
        codec = train(load("mp", [*words, f"augment.mix={mix}"]), [*crystals, large], [], out, device="cpu")
        assert codec.config.elements == Codec.from_pretrained(out).config.elements == tuple(sorted(seen))


def test_a_metric_never_enters_the_loss(tmp_path, crystals, monkeypatch):
    recipe = load("mp", [*SMALL, "optimiser.steps=2"])
    train(recipe, crystals, crystals[:2], tmp_path / "without", device="cpu")
    loss = PatchCodec.loss

    def measured(codec, *more):
        losses, metrics = loss(codec, *more)
        size = sum(p.square().sum() for p in codec.network.parameters())
        return losses, metrics | {"size": 1e6 * size, "nothing": torch.tensor(math.nan)}

    monkeypatch.setattr(PatchCodec, "loss", measured)
    train(recipe, crystals, crystals[:2], tmp_path / "with", device="cpu")
    there, here = weights(tmp_path / "without"), weights(tmp_path / "with")
    assert there.keys() == here.keys()
    assert all(np.array_equal(there[key], here[key]) for key in there)


def test_only_losses_are_lowered():
    model = Weight(lambda w: ({"loss": w.square().sum()}, {"size": 1e3 * w.abs().sum(), "right": torch.tensor(0.5)}))
    terms = stepped(model)
    assert {name: value.item() for name, value in terms.items()} == {
        "loss": 1.0,
        "size": 1e3,
        "right": 0.5,
        "skipped": 0.0,
    }
    assert model.slope == 2.0  # of the square alone


def test_a_loss_that_is_no_number_stops_training_and_a_metric_does_not():
    stepped(Weight(lambda w: ({"loss": w.sum()}, {"metric": torch.tensor(math.inf)})))
    with pytest.raises(TrainingError, match=r"the loss of step 0 is nan; lower optimiser\.lr_muon"):
        stepped(Weight(lambda w: ({"loss": (w * math.nan).sum()}, {})))


class Weight(nn.Module):
    """One weight, 1 at first, and the losses and metrics that follow from it."""

    def __init__(self, terms):
        super().__init__()
        self.weight, self.terms, self.slope = nn.Parameter(torch.ones(1)), terms, None
        self.weight.register_hook(lambda slope: setattr(self, "slope", slope.item()))

    def forward(self, _, __):
        return self.terms(self.weight)


def stepped(model):
    """Take one step in this process."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    accelerator = SimpleNamespace(
        backward=torch.Tensor.backward, clip_grad_norm_=nn.utils.clip_grad_norm_, num_processes=1
    )
    losses, metrics = model(None, None)
    skipped = loop.take_step(losses, model, accelerator, {"adamw": optimiser}, OptimiserConfig(), 0, 0.0)
    return {**losses, **metrics, "skipped": skipped}


@pytest.mark.parametrize("overflows", [True, False])
def test_a_step_whose_gradient_overflows_is_skipped_and_noted(overflows):
    model = Weight(lambda w: ({"loss": (w - float(overflows)).sqrt().sum()}, {}))  # at 0 its slope is infinite
    terms = stepped(model)
    assert terms["skipped"] == overflows
    assert (model.weight.item() == 1) == overflows
    assert model.weight.grad is None


def test_a_frozen_encoder_says_the_same_after_training(tmp_path, crystals):
    """Latents, and what stands on them, stay; the decoder learns."""
    small = [*SMALL, "optimiser.steps=3", "optimiser.warmup=1"]
    before = train(load("mp", small), crystals, crystals[:2], tmp_path / "first", device="cpu")
    recipe = load("mp", [*small, f"start={tmp_path / 'first'}", "frozen=encoder"])
    train(recipe, crystals, crystals[:2], tmp_path / "second", device="cpu")
    start, after = (Codec.from_pretrained(tmp_path / name) for name in ("first", "second"))
    for old, new in zip(
        start.encode(crystals[:3], refine=False), after.encode(crystals[:3], refine=False), strict=True
    ):
        np.testing.assert_array_equal(old.z, new.z)
    changed = {k for k, v in after.network.state_dict().items() if not torch.equal(v, start.network.state_dict()[k])}
    assert changed
    assert all(k.startswith(DECODER) for k in changed)
    assert before.identity != after.identity
    with pytest.raises(TrainingError, match=r"frozen=encoder: give start=CODEC"):
        train(load("mp", [*small, "frozen=encoder"]), crystals, crystals[:2], tmp_path / "third", device="cpu")
