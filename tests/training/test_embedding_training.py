"""Training an embedding: it learns, the same seed makes the same, what may be the same is not pushed apart."""

import json

import numpy as np
import pytest
import torch

from xtalcodec.embedding import files
from xtalcodec.embedding.embedding import EmbeddingError
from xtalcodec.training import embedding as training
from xtalcodec.training.embedding import CURVE, likeness_loss, ranking_loss, train_embedding
from xtalcodec.training.embedding_recipe import load
from xtalcodec.training.embedding_views import Batches, chosen, distorted
from xtalcodec.training.stepping import CHECKPOINT, TrainingError

SMALL = ["steps=30", "batch=24", "views=2", "largest=8", "looks.network.hidden=32", "looks.network.pooled=16"]


@pytest.fixture(scope="module")
def few(prototypes):
    return [crystal for crystal in prototypes if len(crystal) <= 8][:60]


def test_it_learns_and_a_seed_decides_everything(few, tmp_path):
    recipe = load("mp", SMALL)
    made = [train_embedding(recipe, few[:40], few[40:], tmp_path / name, facts={"data": "x"}) for name in "ab"]
    assert made[0].identity == made[1].identity
    rows = [json.loads(line) for line in (tmp_path / "a" / CURVE).read_text().splitlines()]
    assert {row["of"] for row in rows} == {"crystal", "structure"}
    assert all(row["recall"] > 0.8 for row in rows)  # of 20 held-out crystals; one in twenty by chance
    a, b = made[0].vectors(few[:1]), made[0].vectors([distorted(few[0], 0.03, 0.01, np.random.default_rng(0))])
    others = made[0].vectors(few[1:40])
    assert float((a * b).sum()) > np.percentile(others @ a[0], 90)
    about = json.loads((tmp_path / "a" / files.ABOUT).read_text())
    assert about["training"]["recipe"]["steps"] == 30
    assert about["training"]["data"] == "x"
    with pytest.raises(TrainingError, match="holds an embedding already"):
        train_embedding(recipe, few, few, tmp_path / "a")


def test_a_training_that_is_stopped_goes_on_to_the_same_embedding(few, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "EVERY", 3)
    recipe, data, held_out = load("mp", [*SMALL, "steps=8"]), few[:26], few[26:32]
    whole = train_embedding(recipe, data, held_out, tmp_path / "whole")

    def stopping(what, _):
        done = []

        def advance(count):
            done.append(count)
            if what == "training (structure)" and sum(done) == 5:
                raise KeyboardInterrupt

        return advance

    with pytest.raises(KeyboardInterrupt):
        train_embedding(recipe, data, held_out, tmp_path / "parts", progress=stopping)
    with pytest.raises(TrainingError, match="--resume goes on"):
        train_embedding(recipe, data, held_out, tmp_path / "parts")
    with pytest.raises(TrainingError, match="is another recipe"):
        train_embedding(load("mp", [*SMALL, "steps=9"]), data, held_out, tmp_path / "parts", resume=True)
    with pytest.raises(TrainingError, match="was begun with another --data and --val"):
        train_embedding(recipe, few[:25], few[25:32], tmp_path / "parts", resume=True)
    resumed = train_embedding(recipe, data, held_out, tmp_path / "parts", resume=True)
    assert resumed.identity == whole.identity
    assert (tmp_path / "parts" / CURVE).read_text() == (tmp_path / "whole" / CURVE).read_text()
    assert not (tmp_path / "parts" / CHECKPOINT).exists()


def test_what_cannot_be_trained_is_said(few, tmp_path):
    with pytest.raises(EmbeddingError, match="no learnt density channels"):
        train_embedding(load("mp", ["codec=linear-unit-cell"]), few, few, tmp_path)
    with pytest.raises(TrainingError, match="too few crystals: 0 to learn from"):
        train_embedding(load("mp", ["largest=1"]), [c for c in few if len(c) > 1], few, tmp_path)


def test_the_loss_is_that_of_a_softmax_written_out_and_leaves_out_what_may_be_the_same():
    a, b = torch.eye(3), torch.tensor([[0.8, 0.6, 0], [0, 1, 0], [0, 0, 1]])
    scores = (a @ b.T / 0.5).double().numpy()
    alike = torch.zeros(3, 3, dtype=torch.bool)
    alike[0, 1] = alike[1, 0] = True
    for hidden in (torch.zeros(3, 3, dtype=torch.bool), alike):
        kept = np.where(hidden.numpy(), 0, np.exp(scores))
        true = -np.mean([np.log(np.diag(kept) / kept.sum(axis)) for axis in (0, 1)])
        assert float(likeness_loss(a, b, hidden, 0.5)) == pytest.approx(true, rel=1e-5)


def test_ranking_is_how_often_a_rival_is_above_a_view_with_soft_steps():
    a = torch.nn.functional.normalize(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    b = torch.nn.functional.normalize(a + 0.3 * torch.randn(4, 3, generator=torch.Generator().manual_seed(1)), dim=1)
    rivals = Batches([[4, 9], [2, 7]], 10, 4).rivals([9, 0, 2, 4])
    assert rivals.nonzero().tolist() == [[0, 3], [3, 0]]
    scores = (a @ b.T).double().numpy()
    steps = [np.log1p(np.exp((scores[i, j] - scores[k, k]) / 0.05)) for i, j in ((0, 3), (3, 0)) for k in range(4)]
    assert float(ranking_loss(a, b, rivals)) == pytest.approx(np.mean(steps), rel=1e-5)
    assert float(ranking_loss(a, b, torch.zeros_like(rivals))) == 0


def test_crystals_that_share_a_composition_are_chosen_first(few):
    some = [*few[:20], distorted(few[7], 0.1, 0.0, np.random.default_rng(0))]
    picked = chosen(some, 4, np.random.default_rng(0))
    assert {7, 20} <= {*picked}
    assert len(picked) == 4
    drawn = Batches([[1, 2, 3]], 30, 12).draw(np.random.default_rng(0))
    assert {1, 2, 3} <= {*drawn}
    assert len(drawn) == len({*drawn}) <= 12


@pytest.mark.parametrize(("groups", "crystals", "size"), [([range(10)], 30, 2), ([range(2), range(2, 10)], 10, 12)])
def test_a_group_is_no_larger_than_the_batch(groups, crystals, size):
    for seed in range(5):
        drawn = Batches([list(group) for group in groups], crystals, size).draw(np.random.default_rng(seed))
        assert 0 < len(drawn) <= size
