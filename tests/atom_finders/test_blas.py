from contextlib import ExitStack

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from xtalcodec.atom_finders import density, segmented_density
from xtalcodec.atom_finders.blas import one_blas_thread
from xtalcodec.atom_finders.segmentation import SegmentationConfig
from xtalcodec.representations.modes import modes
from xtalcodec.representations.window_field import WindowConfig


def threads():
    """Of every BLAS that is loaded."""
    np.ones((2, 2)) @ np.ones((2, 2))
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def _two_threads():
    """Whatever the environment says."""
    with threadpool_limits(2, user_api="blas"):
        yield


def test_blocks_of_several_threads_may_overlap():
    before = threads()
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(one_blas_thread())
        second.enter_context(one_blas_thread())
        first.close()
        assert set(threads()) == {1}
    assert threads() == before


WINDOW = WindowConfig(points=8, label_radius=1.5)
NOTHING, SEEN = torch.zeros(1, 8, 8, 8), torch.zeros(1, 2, 8, 8, 8)


@pytest.mark.parametrize(
    "read",
    [
        lambda: density.read_density(NOTHING, WINDOW, density.CLOSED),
        lambda: density.read_modes(np.zeros((8, 8, 8)), modes(WINDOW, above=1e-9), density.CLOSED),
        lambda: segmented_density.read_both(NOTHING, SEEN, WINDOW, density.CLOSED, SegmentationConfig()),
    ],
)
def test_densities_are_read_on_one_thread(read, monkeypatch):
    during, search = [], density._Search

    def noted(*arguments):
        during.extend(threads())
        return search(*arguments)

    monkeypatch.setattr(density, "_Search", noted)
    read()
    assert set(during) == {1}


def test_one_thread_inside_and_as_many_as_before_outside():
    before = threads()
    with one_blas_thread():
        assert set(threads()) == {1}
    assert threads() == before
    with pytest.raises(ValueError, match="inside"), one_blas_thread():
        raise ValueError("inside")
    assert threads() == before
