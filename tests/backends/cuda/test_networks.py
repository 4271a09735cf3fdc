from __future__ import annotations

import pytest
import torch
from torch import nn

from segcube.backends.cuda.networks import Preparation, cast_weights, suitable_layout
from segcube.networks import MedNeXtBlock, build_network
from segcube.networks.blocks import BlockPlan

SMALL = {"in_channels": 2, "out_channels": 3}
NETWORKS = {
    "SegResNet": (SMALL, (8, 8, 16)),
    "DynUNet": (
        SMALL | {"kernel_size": [3] * 3, "strides": [1, 2, 2], "filters": [4, 6, 8], "res_block": True},
        (8, 8, 16),
    ),
    "UNet": (SMALL | {"features": [4, 6, 8], "strides": [2, 2], "num_res_units": 1}, (8, 8, 16)),
    "SwinUNETR": (SMALL | {"feature_size": 12}, (64, 32, 32)),
}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv3d(2, 4, 3, padding=1), nn.InstanceNorm3d(4, affine=True), nn.PReLU(), nn.Conv3d(4, 3, 1)
    ).eval()


def test_weights_that_are_cast_once_give_the_bits_of_autocast():
    x = torch.randn(1, 2, 6, 6, 6)
    cast = network()
    cast_weights(cast, torch.bfloat16)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(cast(x), network()(x))
    assert cast[0].weight.dtype == torch.bfloat16
    assert cast[1].weight.dtype == torch.float32


def test_depthwise_networks_lie_channels_first():
    assert suitable_layout(network()) == torch.channels_last_3d
    assert suitable_layout(MedNeXtBlock(BlockPlan(4, 4, 2, (3, 3, 3)))) == torch.contiguous_format
    assert suitable_layout(nn.Conv3d(1, 1, 3)) == torch.channels_last_3d


class Bypass(nn.Sequential):
    """A convolution whose bias reaches the output past the norm after it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        conv, norm = self
        return conv(x) + norm(conv(x))


@pytest.fixture
def preparation(log) -> Preparation:
    return Preparation("cpu", torch.float32, log.append)


def test_a_prepared_network_with_the_same_logits_is_kept(preparation, log):
    kept = preparation.prepare_checked(network, torch.randn(1, 2, 6, 6, 6))
    assert kept.layout == torch.channels_last_3d
    assert log == []


def test_a_network_whose_logits_preparation_changes_runs_unprepared(preparation, log):
    def load() -> nn.Module:
        torch.manual_seed(0)
        return Bypass(nn.Conv3d(2, 4, 3), nn.InstanceNorm3d(4)).eval()

    x = torch.randn(1, 2, 6, 6, 6)
    kept = preparation.prepare_checked(load, x)
    with torch.inference_mode():
        assert torch.equal(kept(x), load()(x))
    assert "deviations away" in log[0]


def test_an_overflow_in_half_precision_is_no_fault_of_the_preparation(log):
    preparation = Preparation("cpu", torch.float16, log.append)

    def load() -> nn.Module:
        huge = network()
        nn.init.constant_(huge[3].weight, 6e4)
        return huge

    assert preparation.prepare_checked(load, torch.ones(1, 2, 6, 6, 6) * 100).layout == torch.channels_last_3d
    assert log == []


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_made_ready_gives_what_it_gave(name):
    arguments, shape = NETWORKS[name]
    networks = []
    for _ in range(2):
        torch.manual_seed(0)
        networks.append(build_network(name, arguments).eval())
    ready = Preparation("cpu", torch.float32, print).prepare(networks[1])
    assert ready.layout == torch.channels_last_3d
    x = torch.randn(2, 2, *shape)
    with torch.inference_mode():
        torch.testing.assert_close(ready(x), networks[0](x), atol=1e-4, rtol=1e-4, check_stride=False)
