"""The folder of a training is its own."""

import signal
import subprocess
import sys

import pytest

from xtalcodec.io.alone import LOCK, OccupiedError, alone
from xtalcodec.training import embedding_recipe, prior_recipe, recipe
from xtalcodec.training.embedding import train_embedding
from xtalcodec.training.loop import train
from xtalcodec.training.prior import train_prior
from xtalcodec.training.stepping import claimed

HOLDING = """
import sys, time
from pathlib import Path
from xtalcodec.training.stepping import claimed
with claimed(Path(sys.argv[1])):
    print("claimed", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize(
    "begin",
    [
        lambda out: train(recipe.load("mp"), [], [], out, device="cpu"),
        lambda out: train(recipe.load("linear-unit-cell"), [], [], out, device="cpu"),
        lambda out: train_prior(prior_recipe.load("mp"), [], out, device="cpu"),
        lambda out: train_embedding(embedding_recipe.load("mp"), [], [], out),
    ],
)
def test_two_trainings_do_not_write_one_folder(tmp_path, begin):
    with alone(tmp_path, tmp_path / LOCK), pytest.raises(OccupiedError, match="another run is writing"):
        begin(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {LOCK}


def test_the_first_process_claims_the_folder_for_all(tmp_path):
    with claimed(tmp_path), claimed(tmp_path, first=False), pytest.raises(OccupiedError), claimed(tmp_path):
        pass
    with claimed(tmp_path):
        pass


def test_a_training_that_was_killed_keeps_nobody_away(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLDING, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "claimed\n"
        with pytest.raises(OccupiedError), claimed(tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
    with claimed(tmp_path):
        pass
