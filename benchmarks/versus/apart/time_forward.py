"""Seconds of a window's forward in plain torch as it comes: `time_forward.py FILE EDGE DEVICE`.

Eager, fp32 on a CPU and fp16 by autocast on a GPU, where the first forward doesn't count.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter

import torch

from segcube.checkpoints import load_network


def forward_seconds(network: torch.nn.Module, window_ncxyz: torch.Tensor) -> float:
    """One forward, done when its result is there."""
    start = perf_counter()
    with torch.autocast("cuda", enabled=window_ncxyz.is_cuda):
        network(window_ncxyz)
    if window_ncxyz.is_cuda:
        torch.cuda.synchronize()
    return perf_counter() - start


if __name__ == "__main__":
    file, edge, device = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    network = load_network(file, None).eval().to(device)
    window_ncxyz = torch.randn(1, 4, edge, edge, edge, device=device)
    with torch.inference_mode():
        if window_ncxyz.is_cuda:
            forward_seconds(network, window_ncxyz)
        print(forward_seconds(network, window_ncxyz))
