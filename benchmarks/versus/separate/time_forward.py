"""Print the seconds of a window's forward in plain torch, eager and fp32: `time_forward.py FILE EDGE`."""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter

import torch

from segcube.networks import load_network

if __name__ == "__main__":
    file, edge = Path(sys.argv[1]), int(sys.argv[2])
    network = load_network(file, None).eval()
    window_ncxyz = torch.randn(1, 4, edge, edge, edge)
    with torch.inference_mode():
        start = perf_counter()
        network(window_ncxyz)
        print(perf_counter() - start)
