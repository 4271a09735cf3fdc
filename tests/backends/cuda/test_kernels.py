"""The kernels against torch's functions: in float32 emulated on the CPU, and on a GPU in each precision."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from functools import cache
from itertools import product
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from segcube.backends.cuda.kernels import Kernels, open_kernels, source
from segcube.backends.cuda.nvrtc import NoKernels, compile_source, packed

HERE = Path(__file__).parent
COMPILER = shutil.which("g++")
NEAR = {torch.float32: 2e-5, torch.float16: 4e-3, torch.bfloat16: 4e-2}
on_gpu = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
emulated = pytest.mark.skipif(COMPILER is None, reason="no g++")


@pytest.fixture(scope="session")
def emulator(tmp_path_factory):
    """Kernels whose source g++ compiles: a thread of theirs is a thread of the host's."""
    folder = tmp_path_factory.mktemp("emulated")

    @cache
    def compiled(name: str, defines: tuple[str, ...]):
        shared = re.sub(r"extern __shared__ (\w+) (\w+)\[\];", r"\1* \2 = (\1*)dynamic_shared;", source(name))
        parts = [(HERE / "emulated_cuda.h").read_text(), shared, (HERE / "emulated_launch.cpp").read_text()]
        stem = folder / "-".join((name, *defines))
        stem.with_suffix(".cpp").write_text("\n".join(parts))
        flags = [f"-D{define}" for define in defines]
        log = ["-std=c++20", "-O1", "-w", "-fPIC", "-shared", "-pthread", *flags]
        subprocess.run([COMPILER, *log, stem.with_suffix(".cpp"), "-o", stem.with_suffix(".so")], check=True)
        library = ctypes.CDLL(str(stem.with_suffix(".so")))

        def function(name: str):
            def launch(grid, threads, *arguments, shared=0):
                assert shared <= 2**16
                sizes = (ctypes.c_int * 3)(*grid)
                assert library.run(name.encode(), sizes, threads, packed(arguments)) == 0

            return launch

        return function

    return Kernels(torch.float32, "cpu", compiled)


@pytest.fixture(params=[pytest.param("emulated", marks=emulated), pytest.param("gpu", marks=on_gpu)])
def precisions(request, emulator) -> list[Kernels]:
    """The kernels of each precision that the device computes in."""
    return [emulator] if request.param == "emulated" else [open_kernels("cuda:0", dtype) for dtype in NEAR]


def values(kernels: Kernels, *shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).to(kernels.device, kernels.dtype)


def last(x: torch.Tensor) -> torch.Tensor:
    return x.contiguous(memory_format=torch.channels_last_3d)


def assert_near(kernels: Kernels, found: torch.Tensor, expected: torch.Tensor) -> None:
    assert found.dtype == kernels.dtype
    near = NEAR[kernels.dtype]
    torch.testing.assert_close(found.double(), expected, atol=near, rtol=near, check_stride=False)


@pytest.mark.parametrize("shape", [(2, 16, 5, 6, 7), (1, 8, 3, 3, 2), (1, 40, 9, 4, 5), (3, 64, 1, 2, 9)])
def test_a_norm_of_channels_last(precisions, shape):
    for kernels, affine in product(precisions, (True, False)):
        check_norm_last(kernels, shape, affine)


def check_norm_last(kernels: Kernels, shape, affine: bool) -> None:
    x, added = last(values(kernels, *shape) * 3 + 20), last(values(kernels, *shape, seed=1))
    weight, bias = torch.randn(2, shape[1], device=kernels.device)
    with_weights = {"weight": weight.double(), "bias": bias.double()} if affine else {}
    normed = functional.instance_norm(x.double(), **with_weights, eps=1e-3)
    for slope, more in ((1.0, None), (0.1, None), (0.0, added)):
        found = kernels.norm_last(x, (weight, bias) if affine else None, 1e-3, slope, more)
        assert found.is_contiguous(memory_format=torch.channels_last_3d)
        expected = normed if more is None else normed + more.double()
        assert_near(kernels, found, functional.leaky_relu(expected, slope))


@pytest.mark.parametrize("shape", [(2, 3, 4, 4, 8), (1, 2, 3, 5, 7), (1, 1, 17, 16, 16), (1, 1, 13, 15, 27)])
def test_a_norm_of_channels_first(precisions, shape):
    for kernels in precisions:
        x = values(kernels, *shape) * 3 + 20
        expected = functional.instance_norm(x.double(), eps=1e-3)
        assert_near(kernels, kernels.norm_first_(x, 1e-3), expected)


def test_the_same_values_everywhere_come_out_as_zeros(precisions):
    for kernels in precisions:
        x = torch.full((1, 16, 4, 4, 8), 7.3, device=kernels.device).to(kernels.dtype)
        assert not kernels.norm_last(last(x), None, 1e-5, 1.0, None).any()
        assert not kernels.norm_first_(x, 1e-5).any()


@pytest.mark.parametrize("shape", [(2, 3, 64), (1, 5, 333), (1, 1, 5000)])
def test_a_bias_and_gelu(precisions, shape):
    for kernels in precisions:
        x, bias = values(kernels, *shape), values(kernels, shape[1], 1, seed=1)
        expected = functional.gelu(x.double() + bias.double())
        assert_near(kernels, kernels.bias_gelu_(x, bias), expected)


@pytest.mark.parametrize(
    ("kernel", "shape"),
    [
        ((3, 3, 3), (2, 3, 5, 6, 8)),
        ((3, 3, 3), (1, 2, 19, 4, 7)),
        ((3, 3, 3), (1, 1, 2, 9, 132)),
        ((1, 3, 3), (1, 2, 4, 40, 12)),
        ((5, 5, 5), (1, 2, 6, 3, 16)),
        ((7, 7, 7), (1, 1, 3, 4, 5)),
    ],
)
def test_a_depthwise_convolution(precisions, kernel, shape):
    padding = [size // 2 for size in kernel]
    for kernels in precisions:
        x, weight = values(kernels, *shape), values(kernels, shape[1], 1, *kernel, seed=1) / 3
        expected = functional.conv3d(x.double(), weight.double(), None, 1, padding, 1, shape[1])
        assert_near(kernels, kernels.depthwise(x, weight), expected)


def test_what_the_kernels_take(emulator):
    x = torch.zeros(1, 8, 4, 4, 4)
    assert emulator.takes_first(x)
    assert not emulator.takes_last(x)
    assert emulator.takes_last(last(x))
    assert not emulator.takes_last(last(torch.zeros(1, 6, 4, 4, 4)))
    assert not emulator.takes_first(x.half())
    assert not emulator.takes_first(x[..., 1:])


def test_without_a_gpu_there_are_none():
    with pytest.raises(NoKernels):
        compile_source(source("norms"), ("TYPE=32",), device="cuda:77")
