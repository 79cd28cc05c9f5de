import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xtalcodec.crystal import Crystal
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.testing import crystals

few = settings(max_examples=20, deadline=None, derandomize=True)

ROUNDING = 1e-6
"""Relative, of float64 brought to float32."""

TINY = 1e-37
"""Smaller numbers lose digits in float32, or all."""


@few
@given(st.lists(crystals(min_separation=None, left_handed=True), min_size=1, max_size=4))
def test_crystals_lie_unchanged_in_their_rows(drawn):
    batch = CrystalBatch.collate(drawn)
    assert len(batch) == len(drawn)
    assert batch.numbers.shape == (len(drawn), max(map(len, drawn)))
    for crystal, lattice, frac_coords, numbers, mask in zip(
        drawn, batch.lattice, batch.frac_coords, batch.numbers, batch.mask, strict=True
    ):
        np.testing.assert_allclose(lattice.numpy(), crystal.lattice, rtol=ROUNDING)
        np.testing.assert_allclose(frac_coords[mask].numpy(), crystal.frac_coords, rtol=ROUNDING, atol=TINY)
        np.testing.assert_array_equal(numbers[mask].numpy(), crystal.numbers)


@few
@given(st.lists(crystals(min_separation=None), min_size=2, max_size=4))
def test_padding_is_zero_and_after_the_sites(drawn):
    batch = CrystalBatch.collate(drawn)
    assert not batch.numbers[~batch.mask].any()
    assert not batch.frac_coords[~batch.mask].any()
    assert batch.mask.sum(1).tolist() == [len(c) for c in drawn]
    assert (batch.mask.int().diff(dim=1) <= 0).all()


def test_networks_get_float32_and_whole_numbers():
    batch = CrystalBatch.collate([Crystal(np.eye(3) * 4, np.zeros((1, 3)), np.array([100]))])
    dtypes = [x.dtype for x in (batch.lattice, batch.frac_coords, batch.numbers, batch.mask)]
    assert dtypes == [torch.float32, torch.float32, torch.int64, torch.bool]


def test_all_tensors_move_to_a_device():
    crystal = Crystal(np.eye(3) * 4, np.zeros((1, 3)), np.array([14]))
    batch = CrystalBatch.collate([crystal])
    moved = batch.to("meta")
    assert batch.device.type == "cpu"
    assert moved.device.type == "meta"
    assert {x.device.type for x in (moved.lattice, moved.frac_coords, moved.numbers, moved.mask)} == {"meta"}
    assert CrystalBatch.collate([crystal], "meta").device.type == "meta"
