"""Where bfloat16 is multiplied by the processor itself; emulated, it is slower than float32."""

import torch


def multiplies_bf16(device: torch.device) -> bool:
    """Whether a device has units for products of bfloat16."""
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()  # noqa: SLF001
    return device.type == "cuda" and torch.cuda.is_bf16_supported()


def reduced(device: torch.device) -> torch.autocast:
    """Bfloat16 for products where the device has units for it, for networks that bear its errors."""
    return torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bf16(device))
