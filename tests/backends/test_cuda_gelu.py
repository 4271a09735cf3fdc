from __future__ import annotations

import torch
from torch.cuda.jiterator import _CodeParser
from torch.nn import functional

from segcube.backends.cuda_gelu import CODE, fused_bias_gelu, plain_bias_gelu


def test_two_passes_are_gelu_of_the_sum():
    values, bias = torch.randn(2, 3, 5), torch.randn(3, 1)
    expected = functional.gelu(values + bias)
    torch.testing.assert_close(plain_bias_gelu(values, bias), expected)


def test_two_passes_serve_where_no_kernel_can_be_made():
    assert fused_bias_gelu("cpu", torch.float32) is plain_bias_gelu


def test_torch_reads_the_kernel():
    read = _CodeParser(CODE)
    assert (read.function_name, read.function_params) == ("bias_gelu", "(T value, T bias)")
