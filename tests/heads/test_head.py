"""Heads: true symmetries, compositions written out, intervals that hold what they promise, and the folder of a head."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.embedding.surroundings import SurroundingsConfig
from xtalcodec.heads import files
from xtalcodec.heads.composition import HEAVIEST, PROPERTIES, SIZE, described, elements
from xtalcodec.heads.head import Head, HeadAbout, HeadError, look, packed, stretch_of
from xtalcodec.heads.network import HeadConfig
from xtalcodec.testing import crystals
from xtalcodec.training.derived import supercell

CHANNELS = np.random.default_rng(0).normal(size=(101, 4)).astype(np.float32)
ALL = tuple(range(1, 101))


def made(lattice, places, numbers, name="", **more):
    return Crystal(lattice, np.array(places, dtype=float), np.array(numbers), name, **more)


def salt(z=17, edge=5.64):
    return made(edge * (np.ones((3, 3)) - np.eye(3)) / 2, [[0, 0, 0], [0.5] * 3], [11, z], f"Na-{z}")


AT = SurroundingsConfig()


def seen(crystal):
    return look(crystal, CHANNELS, AT)


def head_of(**more):
    """An untrained head, whose scales are those of two crystals."""
    torch.manual_seed(0)
    about = HeadAbout("hardness", "GPa", "mp-0123456789ab", AT, ALL, None, 2.0, HeadConfig(16, 8, 16, 3))
    head = Head.untrained(replace(about, **more), seen(salt()).sites.shape[1])
    sites, _, _, made_of = packed([seen(salt()), seen(salt(35, 5.9))])
    head.network.calibrate(sites, made_of, torch.tensor([3.0, 9.0]))
    head.network.site_deviation.clamp_(min=0.3)  # of two crystals it is next to nothing
    return head


@settings(max_examples=15)
@given(crystals(), st.integers(0, 10**6))
def test_setting_and_supercell_change_no_prediction(crystal, seed):
    rng, head = np.random.default_rng(seed), head_of()
    basis = np.array([[1, 0, 0], [rng.integers(-1, 2), 1, 0], [rng.integers(-1, 2), rng.integers(-1, 2), 1]])
    order = rng.permutation(len(crystal))
    moved = crystal.in_basis(basis).translated(rng.random(3))
    other = replace(moved, frac_coords=moved.frac_coords[order], numbers=crystal.numbers[order])
    double = supercell(crystal, np.array([2, 1, 1]))
    found = head.predict([crystal, other, double], seen)
    np.testing.assert_allclose(found.values, found.values[0], atol=2e-3 * max(1, abs(found.values[0])))
    np.testing.assert_allclose(found.uncertainties, found.uncertainties[0], rtol=1e-3)


def test_another_crystal_has_another_value_whatever_it_is_predicted_beside():
    head = head_of()
    found = head.predict([salt(), salt(35), salt(edge=6.5)], seen)
    assert len(found) == 3
    assert min(abs(found.values[0] - found.values[1]), abs(found.values[0] - found.values[2])) > 1e-4
    np.testing.assert_allclose(head.predict([salt(35)], seen).values, found.values[1:2], atol=1e-5)
    assert (found.uncertainties > 0).all()
    assert len(head.predict([], seen)) == 0


def test_a_composition_is_shares_and_statistics_of_the_elements():
    water = made(5 * np.eye(3), [[0, 0, 0], [0.2, 0, 0], [0, 0.2, 0]], [8, 1, 1])
    row = described(water)
    assert row.shape == (SIZE,)
    np.testing.assert_allclose(row[[0, 7]], [2 / 3, 1 / 3], rtol=1e-6)
    mean, deviation, least, largest = row[HEAVIEST:].reshape(4, PROPERTIES)
    negativity = 2.20, 3.44  # Pauling's, of H and O
    np.testing.assert_allclose(mean[0], (2 * negativity[0] + negativity[1]) / 3, rtol=1e-6)
    np.testing.assert_allclose(deviation[0], np.std([2.20, 2.20, 3.44]), rtol=1e-5)
    np.testing.assert_allclose([least[0], largest[0]], negativity, rtol=1e-6)


def test_outer_electrons_are_those_of_the_table():
    outer = elements()[:, -4:]
    np.testing.assert_array_equal(outer[[0, 7, 25, 63]], [[1, 0, 0, 0], [2, 4, 0, 0], [2, 0, 6, 0], [2, 0, 1, 7]])
    assert np.isfinite(elements()).all()


def test_the_stretched_interval_holds_nine_of_ten_of_other_crystals():
    rng = np.random.default_rng(0)
    expected = rng.uniform(0.1, 3, 4000)
    off = abs(rng.laplace(scale=expected)) * 1.7
    stretch = stretch_of(off[:2000], expected[:2000])
    assert stretch == pytest.approx(1.7 * np.log(10), rel=0.06)  # of a Laplace distribution, exactly
    assert np.mean(off[2000:] <= stretch * expected[2000:]) == pytest.approx(0.9, abs=0.02)
    assert stretch_of(np.array([1.0, 4.0]), np.ones(2)) == 4


def test_what_cannot_be_is_not_predicted():
    never = head_of(elements=(11, 17))
    with pytest.raises(CrystalError, match="Na-35: the head for hardness never saw Br in training"):
        never.predict([salt(), salt(35)], seen)
    low = head_of().predict([salt()], seen).values[0]
    assert head_of(least=low + 1).predict([salt()], seen).values[0] == pytest.approx(low + 1)


def test_what_is_written_is_read_back(tmp_path):
    head = head_of()
    for parameter in head.network.parameters():
        parameter.data = parameter.data.half().float()
    files.write(tmp_path / "heads" / "hardness", head, {"command": "xtalcodec train-head a|b"})
    again = files.read(tmp_path / "heads" / "hardness")
    assert again.about == head.about
    np.testing.assert_array_equal(again.predict([salt()], seen).values, head.predict([salt()], seen).values)
    assert r"| command | xtalcodec train-head a\|b |" in (tmp_path / "heads" / "hardness" / files.CARD).read_text()
    assert list(files.available(tmp_path)) == ["hardness"]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / files.ABOUT).unlink(), "No such file"),
        (lambda folder: (folder / files.ABOUT).write_text("[1]"), "no attribute"),
        (lambda folder: _change(folder, format="other"), "its format is 'other'"),
        (lambda folder: _change(folder, network={"poled": 3}), "Did you mean"),
        (lambda folder: _change(folder, network={"pooled": 3}), "size mismatch"),
        (lambda folder: _change(folder, stretch=float("nan")), "not finite"),
        (lambda folder: (folder / files.WEIGHTS).write_bytes(b"12"), "holds no head"),
    ],
)
def test_a_broken_folder_is_named_with_the_reason(tmp_path, damage, reason):
    files.write(tmp_path, head_of(), {})
    damage(tmp_path)
    with pytest.raises(HeadError, match=reason) as error:
        files.read(tmp_path)
    assert str(tmp_path) in str(error.value)


def _change(folder, **values):
    about = json.loads((folder / files.ABOUT).read_text())
    (folder / files.ABOUT).write_text(json.dumps(about | values))
