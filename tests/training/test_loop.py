"""Training goes on exactly where it stopped, however it stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from xtalcodec.codecs.base import Codec
from xtalcodec.io.write import write_parquet
from xtalcodec.training.loop import TrainingError, train
from xtalcodec.training.recipe import load

SMALL = [
    "codec.network.width=24", "codec.network.heads=2",
    "codec.network.encoder_layers=1", "codec.network.decoder_layers=1",
    "optimiser.patches=64", "optimiser.warmup=2", "sample=2", "precision=fp32",
]  # fmt: skip


@pytest.fixture(scope="module")
def crystals(prototypes):
    return [c for c in prototypes if len(c) < 9][:30]


def curve(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]


def weights(folder: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(folder / "checkpoint.safetensors")


def test_resuming_gives_the_curve_of_an_uninterrupted_training(tmp_path, crystals):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    recipe = load("mp", [*SMALL, "optimiser.steps=8"])
    train(recipe, crystals, crystals[:2], whole, device="cpu")

    class StopError(Exception):
        pass

    from xtalcodec.training import loop

    real, done = loop._step, []

    def stopping(*arguments):
        if len(done) == 5:
            raise StopError
        done.append(1)
        return real(*arguments)

    loop._step = stopping
    try:
        with pytest.raises(StopError):
            train(
                load("mp", [*SMALL, "optimiser.steps=8", "checkpoint_minutes=0"]),
                crystals,
                crystals[:2],
                parts,
                device="cpu",
            )
    finally:
        loop._step = real
    (parts / "recipe.yaml").write_text((whole / "recipe.yaml").read_text())
    train(recipe, crystals, crystals[:2], parts, resume=True, device="cpu")
    there, here = weights(whole), weights(parts)
    assert all(np.array_equal(there[key], here[key]) for key in there)


def test_a_training_that_exists_is_not_overwritten(tmp_path, crystals):
    recipe = load("mp", [*SMALL, "optimiser.steps=1"])
    train(recipe, crystals, crystals[:2], tmp_path, device="cpu")
    with pytest.raises(TrainingError, match="already holds a training"):
        train(recipe, crystals, crystals[:2], tmp_path, device="cpu")


def test_resuming_with_another_recipe_is_refused(tmp_path, crystals):
    train(load("mp", [*SMALL, "optimiser.steps=1"]), crystals, crystals[:2], tmp_path, device="cpu")
    with pytest.raises(TrainingError, match="another recipe"):
        train(load("mp", [*SMALL, "optimiser.steps=2"]), crystals, crystals[:2], tmp_path, resume=True, device="cpu")


def test_the_trained_codec_loads_and_its_card_tells_how(tmp_path, crystals):
    recipe = load("mp", [*SMALL, "optimiser.steps=2"])
    codec = train(recipe, crystals, crystals[:2], tmp_path, device="cpu", facts={"data": "prototypes"})
    assert Codec.from_pretrained(tmp_path).identity == codec.identity
    card = (tmp_path / "README.md").read_text()
    assert "prototypes: 30 crystals" in card
    assert "2 steps" in card
    assert list((tmp_path / "tensorboard").glob("events*"))


def command(data: Path, out: Path, *more: str) -> list[str]:
    words = [sys.executable, "-m", "xtalcodec", "train", "mp", *SMALL, "optimiser.steps=12", "checkpoint_minutes=0"]
    return [*words, "--data", str(data), "--val", str(data), "--out", str(out), "--device", "cpu", *more]


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


def test_two_processes_train_together(tmp_path, crystals):
    data, out = tmp_path / "data.parquet", tmp_path / "run"
    write_parquet(crystals, data)
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = [*run, *command(data, out)[1:]]
    subprocess.run(words, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    about = json.loads((out / "training.json").read_text())
    assert about["step"] == 12
    assert Codec.from_pretrained(out).config.name == "mp"


@pytest.mark.parametrize("overflows", [True, False])
def test_a_step_whose_gradient_overflows_is_skipped_and_noted(overflows):
    from types import SimpleNamespace

    import torch

    from xtalcodec.training import loop
    from xtalcodec.training.painted import Painted
    from xtalcodec.training.recipe import Recipe

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, _, __):
            return {"loss": (self.weight - float(overflows)).sqrt().sum()}  # at 0 its slope is infinite

    model = Model()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    accelerator = SimpleNamespace(backward=torch.Tensor.backward, clip_grad_norm_=torch.nn.utils.clip_grad_norm_)
    batch = Painted(torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2, 2, dtype=torch.uint8))
    terms = loop._step(model, accelerator, batch, (1, 1, 1), {"adamw": optimiser}, Recipe(), 0, 0.0)
    assert terms["skipped"] == overflows
    assert (model.weight.item() == 1) == overflows
    assert model.weight.grad is None
