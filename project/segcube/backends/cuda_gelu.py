"""A bias and GELU in one pass over memory, compiled by the driver's own compiler: no other is needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

import torch
from torch.nn import functional

BiasGelu: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Takes values (N, K, S), that it may overwrite, and a bias (K, 1)."""

CODE = """
template <typename T> T bias_gelu(T value, T bias) {
    T x = value + bias;
    return T(0.5) * x * (T(1) + erf(x * T(0.70710678118654752)));
}
"""
NEAR = 0.02
"""Two passes round the sum before GELU, one does not; bf16 keeps eight bits of it."""


def plain_bias_gelu(values_nks: torch.Tensor, bias_k1: torch.Tensor) -> torch.Tensor:
    """GELU (erf's) of values plus a bias, in two passes."""
    return functional.gelu(values_nks.add_(bias_k1))


@cache
def fused_bias_gelu(device: str, dtype: torch.dtype) -> BiasGelu:
    """The same in one pass, where it can be compiled and gives what two passes give; else two passes."""
    # Hosts give no folder to keep a kernel in; made again, it takes a part of a second
    os.environ.setdefault("USE_PYTORCH_KERNEL_CACHE", "0")
    try:
        fused: BiasGelu = torch.cuda.jiterator._create_jit_fn(CODE)  # pyright: ignore[reportPrivateUsage]
        values_nks = torch.linspace(-8, 8, 1024, device=device).reshape(2, 4, 128).to(dtype)
        bias_k1 = torch.linspace(-1, 1, 4, device=device).reshape(4, 1).to(dtype)
        found, expected = fused(values_nks, bias_k1), plain_bias_gelu(values_nks.clone(), bias_k1)
        sound = found.dtype == dtype and torch.allclose(found.float(), expected.float(), atol=NEAR, rtol=NEAR)
    except (AssertionError, RuntimeError):
        return plain_bias_gelu
    return fused if sound else plain_bias_gelu
