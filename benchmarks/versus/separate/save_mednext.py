"""Save a MedNeXt of random weights as a member's file, and print its sha256.

`save_mednext.py ARGUMENTS.json FILE`. In a separate process, like everything that imports
torch: the benchmark would otherwise share its pages with the measured commands.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from segcube.networks import build_network, save_network

if __name__ == "__main__":
    arguments = json.loads(Path(sys.argv[1]).read_text())
    torch.manual_seed(0)
    network = build_network("MedNeXtV1", arguments)
    print(save_network(network, "MedNeXtV1", arguments, Path(sys.argv[2])))
