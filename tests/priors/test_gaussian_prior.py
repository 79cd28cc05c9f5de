"""The prior against distributions that are known, and its files."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm, polar
from scipy.spatial.transform import Rotation

from xtalcodec.codecs.latents import CrystalCode, LatentsError, LatentSet
from xtalcodec.geometry.cell_numbers import lattice_numbers, lattice_of
from xtalcodec.priors import available, prior
from xtalcodec.priors.about import PriorError
from xtalcodec.priors.gaussian import GaussianPrior
from xtalcodec.testing import lattices


def codes(z, cells=None, patches=(2, 1, 1)) -> LatentSet:
    """One code for each row of z."""
    cells = [4 * np.eye(3)] * len(z) if cells is None else cells
    basis = np.eye(3, dtype=np.int64)
    rows = [
        CrystalCode(f"c{k}", row.reshape(np.prod(patches), -1).astype(np.float32), patches, cell, basis)
        for k, (row, cell) in enumerate(zip(z, cells, strict=True))
    ]
    return LatentSet(tuple(rows), "tiny-0123")


def flat(latents: LatentSet) -> np.ndarray:
    return np.stack([c.z.ravel() for c in latents])


@settings(max_examples=50, deadline=None)
@given(lattices(), st.integers(0, 1000))
def test_nine_numbers_are_the_polar_decomposition_of_a_cell(cell, seed):
    turned = cell @ Rotation.random(random_state=seed).as_matrix()
    numbers = lattice_numbers(turned)
    assert np.allclose(lattice_of(numbers), turned)
    rotation, stretch = polar(turned, side="left")
    xx, yy, zz, yz, xz, xy = numbers[:6]
    assert np.allclose(expm(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])), stretch)
    assert np.allclose(Rotation.from_rotvec(numbers[6:]).as_matrix(), rotation.T)
    assert np.allclose(numbers[:6], lattice_numbers(cell)[:6])


def test_samples_have_the_mean_and_covariance_of_what_was_fitted():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(6, 6))
    z = rng.normal(size=(1500, 6)) @ mixing + np.arange(6)
    fitted = GaussianPrior.of(codes(z), variance=1.0)
    drawn = flat(fitted.sample(1500, seed=1))
    assert np.allclose(drawn.mean(0), z.mean(0), atol=0.3)
    expected = np.cov(z.T)
    assert np.abs(np.cov(drawn.T) - expected).max() < 0.15 * np.abs(expected).max()


def test_what_the_axes_leave_of_a_number_is_its_own():
    rng = np.random.default_rng(0)
    z = 0.1 * rng.normal(size=(1000, 8))
    z[:, :4] += rng.normal(size=(1000, 1))
    fitted = GaussianPrior.of(codes(z), variance=0.45)
    assert len(fitted.spread) == 1  # of standardised numbers: half of the variance lies along one axis
    drawn = flat(fitted.sample(1000))
    assert np.allclose(drawn.std(0), z.std(0), rtol=0.1)
    assert np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1] > 0.8
    assert abs(np.corrcoef(drawn[:, 4], drawn[:, 5])[0, 1]) < 0.1


def test_cells_follow_the_latents_they_belong_to():
    rng = np.random.default_rng(0)
    size = rng.normal(size=200)
    cells = [np.exp(0.1 * s) * 4 * np.eye(3) for s in size]
    z = size[:, None] * np.ones(4) + 0.01 * rng.normal(size=(200, 4))
    for code in GaussianPrior.of(codes(z, cells), variance=0.99).sample(50):
        edge = np.linalg.det(code.lattice) ** (1 / 3)
        assert edge == pytest.approx(4 * np.exp(0.1 * code.z.mean()), rel=0.03)
        assert np.allclose(code.basis, np.eye(3))


def test_no_temperature_gives_the_mean_and_seeds_repeat():
    z = np.random.default_rng(0).normal(size=(20, 4))
    fitted = GaussianPrior.of(codes(z))
    assert np.allclose(flat(fitted.sample(2, temperature=0.0)), z.mean(0), atol=1e-6)
    assert np.array_equal(flat(fitted.sample(5, seed=3))[:2], flat(fitted.sample(2, seed=3)))
    assert not np.array_equal(flat(fitted.sample(2, seed=3)), flat(fitted.sample(2, seed=4)))
    warm, hot = flat(fitted.sample(3, temperature=0.5)), flat(fitted.sample(3))
    assert np.allclose(2 * (warm - z.mean(0)), hot - z.mean(0), atol=1e-5)


def test_fewer_crystals_than_numbers_will_do():
    z = np.random.default_rng(0).normal(size=(5, 40))
    fitted = GaussianPrior.of(codes(z), variance=0.5)
    assert (fitted.remainder > 0).any()
    assert np.isfinite(flat(fitted.sample(3))).all()


@pytest.mark.parametrize(
    ("latents", "message"),
    [
        (codes(np.zeros((2, 4))), "at least three"),
        (
            LatentSet((*codes(np.zeros((3, 4))), *codes(np.zeros((1, 4)), patches=(1, 2, 1))), "tiny-0123"),
            "one grid, and these codes are of 2: 3 on 2×1×1, 1 on 1×2×1",
        ),
    ],
)
def test_codes_that_cannot_be_fitted(latents, message):
    with pytest.raises(LatentsError, match=message):
        GaussianPrior.of(latents)


@pytest.mark.parametrize(
    "words", [{"n": 0}, *({"n": 1, "temperature": wrong} for wrong in (-1.0, float("nan"), float("inf")))]
)
def test_what_cannot_be_drawn(words):
    with pytest.raises(LatentsError, match="cannot draw"):
        GaussianPrior.of(codes(np.eye(4))).sample(**words)


@pytest.mark.parametrize("variance", [0.0, 1.5])
def test_shares_of_variance_that_are_none(variance):
    with pytest.raises(LatentsError, match="between 0 and 1"):
        GaussianPrior.of(codes(np.eye(4)), variance)


def test_a_saved_prior_draws_the_same(tmp_path):
    fitted = GaussianPrior.of(codes(np.random.default_rng(0).normal(size=(9, 6))))
    fitted.save(tmp_path / "prior")
    again = GaussianPrior.load(tmp_path / "prior")
    assert again.about == fitted.about
    assert np.array_equal(flat(again.sample(4)), flat(fitted.sample(4)))


KILLED = """
import os, signal, sys
from xtalcodec.priors.gaussian import GaussianPrior
prior = GaussianPrior.load(sys.argv[1])
new = type(prior)(prior.about, prior.mean + 1, prior.scale, prior.axes, prior.spread, prior.remainder)
setattr(os, sys.argv[2], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
new.save(sys.argv[1])
"""


@pytest.mark.parametrize(("die", "moved"), [("fsync", 0), ("rename", 0), ("replace", 1), ("rmdir", 1)])
def test_a_save_that_is_killed_leaves_the_old_prior_or_the_new_one(tmp_path, die, moved):
    fitted = GaussianPrior.of(codes(np.random.default_rng(0).normal(size=(9, 6))))
    fitted.save(tmp_path)
    run = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), die], check=False)
    assert run.returncode == -signal.SIGKILL
    assert np.array_equal(GaussianPrior.load(tmp_path).mean, fitted.mean + moved)


def test_a_prior_that_is_broken_is_named(tmp_path):
    fitted = GaussianPrior.of(codes(np.random.default_rng(0).normal(size=(9, 6))))
    fitted.save(tmp_path)
    about = json.loads((tmp_path / "prior.json").read_text())
    for damage, message in (
        ({"format": "x"}, "its format is 'x'"),
        ({"latent": 4}, "not those of 17 per code"),
        ({"colour": 1}, "colour"),
    ):
        (tmp_path / "prior.json").write_text(json.dumps(about | damage))
        with pytest.raises(PriorError, match=message):
            GaussianPrior.load(tmp_path)
    (tmp_path / "prior.json").write_text("[1, 2]")
    with pytest.raises(PriorError, match="holds no facts by name"):
        GaussianPrior.load(tmp_path)
    (tmp_path / "prior.json").write_text(json.dumps(about))
    (tmp_path / "prior.safetensors").write_bytes(b"nothing")
    with pytest.raises(PriorError, match="holds no prior that can be read"):
        GaussianPrior.load(tmp_path)


def test_priors_are_found_by_name():
    assert "gaussian" in available()
    assert prior("gaussian") is GaussianPrior
    with pytest.raises(ValueError, match="Did you mean 'gaussian'"):
        prior("gausian")
