from __future__ import annotations

import pytest
import torch
from torch import nn

from segcube.backends.cuda.depthwise import Way, without_bias
from segcube.backends.cuda.kernels import LARGEST


@pytest.mark.parametrize(
    "more", [{"padding": 1}, {"padding": 1, "stride": 2}, {"padding": 2, "dilation": 2}, {"padding": 0}]
)
def test_a_depthwise_convolution_loses_its_bias_alone(more):
    conv = nn.Conv3d(4, 4, 3, groups=4, **more)
    x = torch.randn(2, 4, 7, 6, 8)
    with torch.inference_mode():
        expected = conv(x) - conv.bias[:, None, None, None]
        torch.testing.assert_close(without_bias(conv, None)(x), expected)


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [(3, 2, 1), (5, 2, 1), ((1, 3, 3), (1, 2, 3), 1), (3, 2, 2)]
)
def test_a_transposed_convolution_is_one_among_zeros(kernel, stride, dilation):
    sizes = (kernel,) * 3 if isinstance(kernel, int) else kernel
    padding = tuple(dilation * (size // 2) for size in sizes)
    conv = nn.ConvTranspose3d(4, 4, kernel, stride, padding, groups=4, dilation=dilation)
    x = torch.randn(2, 4, 4, 5, 3)
    with torch.inference_mode():
        expected = conv(x) - conv.bias[:, None, None, None]
        torch.testing.assert_close(without_bias(conv, None)(x), expected, atol=1e-5, rtol=1e-5)


def test_the_own_kernel_makes_odd_convolutions_that_keep_every_voxel():
    ones = (1, 1, 1)
    halves = (1, 2, LARGEST // 2)
    assert Way(ones, halves, ones).is_own((3, 5, LARGEST))
    assert not Way(ones, (1, 1, LARGEST // 2 + 1), ones).is_own((3, 3, LARGEST + 2))
    assert not Way(ones, ones, ones).is_own((2, 3, 3))
    assert not Way((2, 2, 2), ones, ones).is_own((3, 3, 3))
    assert not Way(ones, ones, (1, 2, 1)).is_own((3, 3, 3))
    assert not Way(ones, (0, 0, 0), ones).is_own((3, 3, 3))
