from __future__ import annotations

import pytest
import torch
from torch import nn

from segcube.backends.cuda.mednext import LeanBlock, make_lean
from segcube.networks import MBASBlock, MedNeXtBlock, build_network
from segcube.networks.blocks import BlockPlan

PLANS = {
    "identity": BlockPlan(4, 4, 2, (3, 3, 3)),
    "none": BlockPlan(4, 6, 2, (5, 5, 5), has_residual=False),
    "wider": BlockPlan(4, 6, 3, (3, 3, 3)),
    "down": BlockPlan(4, 8, 2, (3, 5, 3), stride=(2, 2, 2)),
    "flat down": BlockPlan(4, 8, 2, (3, 3, 3), stride=(1, 2, 2)),
    "up": BlockPlan(4, 2, 2, (5, 5, 5), stride=(2, 2, 2), upsample=True),
    "uneven up": BlockPlan(4, 2, 2, (1, 3, 3), stride=(1, 2, 3), upsample=True),
    "up alone": BlockPlan(4, 2, 2, (3, 3, 3), stride=(2, 2, 2), upsample=True, has_residual=False),
    "dilated": BlockPlan(4, 4, 2, (3, 3, 3), dilation=(1, 2, 2)),
}


def block_of(kind: type[MedNeXtBlock], plan: BlockPlan) -> MedNeXtBlock:
    torch.manual_seed(0)
    block = kind(plan).eval()
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.5)
    return block


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_lean_block_is_the_block(plan):
    x = torch.randn(2, 4, 6, 8, 6)
    for kind in (MedNeXtBlock, MBASBlock):
        with torch.inference_mode():
            expected = block_of(kind, plan)(x)
            found = LeanBlock(block_of(kind, plan), None)(x)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_the_input_stays_as_it_is():
    x = torch.randn(1, 4, 4, 4, 4)
    before = x.clone()
    with torch.inference_mode():
        LeanBlock(block_of(MedNeXtBlock, PLANS["identity"]), None)(x)
    assert torch.equal(x, before)


def test_a_residual_in_full_precision_stays_so():
    x = torch.randn(1, 4, 4, 4, 4)
    lean = LeanBlock(block_of(MedNeXtBlock, PLANS["identity"]), None).to(torch.bfloat16)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert lean(x).dtype == torch.float32
        assert lean(x.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("more", [{"norm": "layer"}, {"response": True}])
def test_other_norms_and_responses_keep_their_block(more):
    network = nn.Sequential(block_of(MedNeXtBlock, BlockPlan(4, 4, 2, (3, 3, 3), **more)))
    make_lean(network, None)
    assert isinstance(network[0], MedNeXtBlock)


def mednext() -> nn.Module:
    arguments = {"in_channels": 2, "out_channels": 3, "n_channels": 4, "exp_r": 2, "block_counts": 1}
    return build_network("MedNeXtV1", arguments)


def mbas(name: str) -> nn.Module:
    arguments = {
        "input_channels": 2,
        "num_classes": 3,
        "n_stages": 3,
        "features_per_stage": [4, 6, 8],
        "kernel_sizes": [[1, 3, 3], 3, [3, 5, 5]],
        "strides": [1, [1, 2, 2], [2, 2, 3]],
        "n_blocks_per_stage": [1, 2, 1],
        "exp_ratio_per_stage": [2, 1, 1],
    }
    return build_network(name, arguments)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (mednext, (16, 16, 32)),
        (lambda: mbas("MedNeXtV1MBAS"), (4, 8, 12)),
        (lambda: mbas("MedNeXtV2MBAS"), (4, 8, 12)),
    ],
)
def test_a_network_of_lean_blocks_gives_what_it_gave(make, shape):
    x = torch.randn(1, 2, *shape)
    networks = []
    for _ in range(2):
        torch.manual_seed(0)
        networks.append(make().eval())
    make_lean(networks[1], None)
    assert not any(isinstance(module, MedNeXtBlock) for module in networks[1].modules())
    with torch.inference_mode():
        expected, found = (network(x) for network in networks)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
