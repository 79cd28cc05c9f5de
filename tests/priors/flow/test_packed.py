"""Weights as they are kept."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xtalcodec.priors.flow.packed import LARGE, SCALE, packed, unpacked


@given(seed=st.integers(0, 10**6), rows=st.integers(1, 70), power=st.integers(-30, 20))
@settings(max_examples=30, deadline=None)
def test_every_weight_is_within_half_a_step_of_its_row(seed, rows, power):
    torch.manual_seed(seed)
    weight = torch.randn(rows, LARGE // rows + 1) * 10.0**power * torch.rand(rows, 1)
    kept = packed({"w": weight})
    assert kept["w"].dtype == torch.int8
    (found,) = unpacked(kept).values()
    again = packed({"w": found})
    assert all(torch.equal(again[name], kept[name]) for name in kept), "packing twice changes nothing"
    step = weight.abs().amax(1, keepdim=True) / 127
    assert ((found - weight).abs() <= 0.502 * step).all()


def test_rows_of_zeros_stay():
    weight = torch.zeros(64, 64)
    weight[1] = 1.0
    found = unpacked(packed({"w": weight}))["w"]
    torch.testing.assert_close(found, weight, atol=0, rtol=1e-4)


def test_small_ones_vectors_and_counts_are_not_cut_to_eight_bits():
    state = {
        "bias": torch.randn(5000),
        "small": torch.randn(8, 8),
        "count": torch.tensor(3),
        "deep": torch.randn(9, 9, 99),
    }
    kept = packed(state)
    assert set(kept) == set(state)
    back = unpacked(kept)
    for name, value in state.items():
        torch.testing.assert_close(back[name], value, atol=1e-3, rtol=1e-3)
    assert back["count"].dtype == state["count"].dtype


def test_vectors_in_any_unit_are_exact_and_those_that_were_of_half_precision_stay():
    state = {"property_mean": torch.tensor([1.23456e5, -3e-9]), "count": torch.tensor(7e4)}
    state |= {"bias": torch.randn(9).half(), "small": torch.randn(8, 8).half()}
    back = unpacked(packed(state))
    assert all(torch.equal(back[name], value.float()) for name, value in state.items())


def test_it_takes_half_of_half_precision():
    state = {"w": torch.randn(256, 1024)}
    bytes_of = sum(x.numel() * x.element_size() for x in packed(state).values())
    assert bytes_of < 0.51 * 2 * state["w"].numel()
    assert set(packed(state)) == {"w", "w" + SCALE}
