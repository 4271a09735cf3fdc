from __future__ import annotations

import pytest
import torch
from dynamic_network_architectures.building_blocks.residual import BasicBlockD
from torch import nn

from segcube.backends.cuda.norm import LeanResidual, fuse_norms, make_residuals_lean


def network_of(inputs: int, outputs: int, stride: object, **more: object) -> nn.Module:
    torch.manual_seed(0)
    settings = {
        "conv_bias": True,
        "norm_op": nn.InstanceNorm3d,
        "norm_op_kwargs": {"affine": True},
        "nonlin": nn.LeakyReLU,
        "nonlin_kwargs": {"inplace": True},
    }
    block = BasicBlockD(nn.Conv3d, inputs, outputs, 3, stride, **(settings | more))
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.5)
    return nn.Sequential(block).eval()


def lean(network: nn.Module) -> nn.Module:
    fuse_norms(network, None)
    make_residuals_lean(network)
    return network


@pytest.mark.parametrize(
    ("inputs", "outputs", "stride"),
    [(4, 4, 1), (4, 6, 1), (4, 6, 2), (4, 6, [1, 2, 2]), (4, 4, 2)],
)
def test_a_lean_block_is_the_block(inputs, outputs, stride):
    x = torch.randn(2, inputs, 8, 6, 4)
    found = lean(network_of(inputs, outputs, stride))
    assert isinstance(found[0], LeanResidual)
    with torch.inference_mode():
        expected = network_of(inputs, outputs, stride)(x)
        torch.testing.assert_close(found(x), expected, atol=1e-4, rtol=1e-4)


def test_pooling_before_a_projection_becomes_a_strided_convolution():
    block = lean(network_of(4, 6, 2))[0]
    assert isinstance(block.skip[0], nn.Identity)
    assert block.skip[1].conv.kernel_size == (2, 2, 2)


def test_pooling_alone_stays():
    assert isinstance(lean(network_of(4, 4, 2))[0].skip[0], nn.AvgPool3d)


@pytest.mark.parametrize(
    "more",
    [{"squeeze_excitation": True}, {"stochastic_depth_p": 0.5}, {"nonlin": nn.GELU, "nonlin_kwargs": {}}],
)
def test_a_block_with_more_stays_as_it_is(more):
    assert isinstance(lean(network_of(4, 4, 1, **more))[0], BasicBlockD)
