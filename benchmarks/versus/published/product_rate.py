"""Multiply-adds a second, in 1e9, of torch's product of two large matrices in fp32 on all cores."""

from __future__ import annotations

from time import perf_counter

import torch

EDGE, TIMES = 2048, 10


def rate() -> float:
    """The best of several."""
    first, second = torch.randn(EDGE, EDGE), torch.randn(EDGE, EDGE)
    best = float("inf")
    for _ in range(TIMES):
        start = perf_counter()
        first @ second
        best = min(best, perf_counter() - start)
    return EDGE**3 / best / 1e9


if __name__ == "__main__":
    print(rate())
