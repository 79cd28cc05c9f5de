"""Running averages of weights."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from xtalcodec.training.average import running_average


class Weights(nn.Module):
    """Two weights and a buffer."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))
        self.register_buffer("seen", torch.zeros(1))


def after(values, keep):
    """What the average of a network is that has gone through these weights."""
    network = Weights()
    average = running_average(network, keep)
    for value in values:
        network.weight.data.fill_(value)
        network.seen.fill_(value)
        average.update_parameters(network)
    return average.module


@given(st.lists(st.floats(-9, 9, width=32), min_size=1, max_size=20), st.floats(0, 0.999))
def test_it_keeps_little_at_first_and_never_more_than_is_asked(values, keep):
    """By the sum written out: the k-th step keeps (1 + k) / (10 + k), and never more than `keep`."""
    expected = values[0]
    for k, value in enumerate(values[1:], 1):
        share = min(keep, (1 + k) / (10 + k))
        expected = share * expected + (1 - share) * value
    found = after(values, keep)
    assert found.weight.tolist() == pytest.approx([expected] * 2, abs=1e-4)
    assert found.seen.item() == values[-1], "buffers are those of the last step"


def test_nothing_is_kept_where_nothing_is_asked():
    assert torch.equal(after([0.1, 0.7, -3.3], 0.0).weight, torch.full((2,), -3.3))
