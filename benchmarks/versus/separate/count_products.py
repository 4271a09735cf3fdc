"""Multiply-adds of a submission's networks over one window each, in 1e9: `count_products.py FOLDER`.

Of the convolutions alone: norms and activations are less than 1 % of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from segcube.backends import MemberFile, member_files
from segcube.networks import load_network
from segcube.spec.submission import load_for_challenge

OPERATIONS = 2
"""torch counts a multiply-add as two operations."""


def products(member: MemberFile) -> float:
    """Count the multiply-adds of one window on the meta device, which computes nothing."""
    network = load_network(member.file, member.sha256).to("meta")
    window_ncxyz = torch.empty(1, member.channels, *member.window, device="meta")
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(window_ncxyz)
    return counter.get_total_flops() / OPERATIONS


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    members = member_files(load_for_challenge(folder).submission, folder)
    print(sum(map(products, members)) / 1e9)
