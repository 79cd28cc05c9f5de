"""Reduced precision: where the processor has units for it, and nowhere else."""

import pytest
import torch

from xtalcodec.networks.precision import multiplies_bf16, reduced

CPU = torch.device("cpu")


@pytest.mark.parametrize(("avx512", "amx"), [(False, False), (True, False), (False, True)])
def test_products_are_reduced_where_the_processor_multiplies_bfloat16(monkeypatch, avx512, amx):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert multiplies_bf16(CPU) == (avx512 or amx)
    with reduced(CPU):
        assert (torch.eye(2) @ torch.eye(2)).dtype == (torch.bfloat16 if avx512 or amx else torch.float32)


def test_other_devices_are_asked_themselves(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert multiplies_bf16(torch.device("cuda"))
    assert not multiplies_bf16(torch.device("mps"))
