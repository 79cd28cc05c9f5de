"""Voxels of several crystals in one row, against NumPy's indices of one array each."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from xtalcodec.representations.tori import Tori

grids = st.lists(st.tuples(*[st.integers(1, 7)] * 3), min_size=1, max_size=5)


@given(grids, st.integers(0, 2**32 - 1))
def test_indices_wrap_and_count_in_c_order_one_crystal_after_the_other(shapes, seed):
    rng, tori = np.random.default_rng(seed), Tori.of(shapes)
    which, voxel = rng.integers(len(shapes), size=20), rng.integers(-20, 20, (20, 4, 3))
    found = tori.index(torch.from_numpy(which), torch.from_numpy(voxel)).numpy()
    before = np.cumsum([0, *map(np.prod, shapes)])
    for row, k, own in zip(found, which, voxel, strict=True):
        truth = np.ravel_multi_index(tuple((own % shapes[k]).T), shapes[k])
        np.testing.assert_array_equal(row, before[k] + truth)


@given(grids)
def test_every_voxel_is_found_again(shapes):
    tori = Tori.of(shapes)
    index = torch.arange(int(tori.sizes.sum()))
    which, voxel = tori.voxel(index)
    assert torch.equal(tori.index(which, voxel), index)
    assert torch.bincount(which, minlength=len(tori)).tolist() == [int(np.prod(shape)) for shape in shapes]
    fractions = tori.fractions(which, voxel.float())
    assert ((fractions >= 0) & (fractions < 1)).all()
