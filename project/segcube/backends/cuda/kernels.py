"""segcube's own CUDA kernels as functions of tensors; the .cu files beside it hold their sources."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import ceil

import torch

from segcube.backends.cuda.nvrtc import Functions, compile_source

TYPES = {torch.float16: "TYPE=16", torch.bfloat16: "TYPE=8", torch.float32: "TYPE=32"}
THREADS, WARP = 256, 32
ALIGNED = 16
"""Bytes that a thread reads at once."""
BLOCKS = 1024
"""Of a kernel that goes through voxels: several for each multiprocessor of a large device."""
DEEP = 16
"""Planes that a block of a depthwise convolution makes; it reads a kernel's more."""
FACTORS = 4
"""A mean, a scale, a shift, and room."""
LANES, QUAD, MARGIN = 32, 4, 4
"""Threads along z, the voxels that each makes, and what a row holds beside them on either side."""
LARGEST = 7
"""Voxels of a depthwise kernel along an axis."""


@dataclass(frozen=True)
class Kernels:
    """The kernels of a precision on a device."""

    dtype: torch.dtype
    device: str
    compiled: Callable[[str, tuple[str, ...]], Functions]
    """A source of that name, with some names defined in it."""

    @property
    def norms(self) -> Functions:
        """All but the convolution."""
        return self.compiled("norms", (TYPES[self.dtype],))

    @property
    def vector(self) -> int:
        """Values that a thread reads at once."""
        return ALIGNED // self.dtype.itemsize

    def takes_last(self, x: torch.Tensor) -> bool:
        """Whether `norm_last` takes a tensor (N, C, X, Y, Z)."""
        channels = x.shape[1]
        fits = channels % self.vector == 0 and channels // self.vector <= THREADS
        return self._is_own(x) and fits and x.is_contiguous(memory_format=torch.channels_last_3d)

    def takes_first(self, x: torch.Tensor) -> bool:
        """Whether the other kernels take a tensor (N, C, ...)."""
        return self._is_own(x) and x.is_contiguous()

    def norm_last(
        self,
        x: torch.Tensor,
        affine: tuple[torch.Tensor, torch.Tensor] | None,
        eps: float,
        slope: float,
        added: torch.Tensor | None,
    ) -> torch.Tensor:
        """leaky(norm(x) + added): an instance norm of channels last.

        affine: weight and bias (C), float32. slope: below 0, of what comes out; 1 for none. added: like x.
        """
        windows, channels, voxels = x.shape[0], x.shape[1], x[0, 0].numel()
        rows = THREADS // (channels // self.vector)
        chunk = max(ceil(voxels * windows / BLOCKS), 4 * rows)
        chunks = ceil(voxels / chunk)
        parts = torch.empty((windows, chunks, channels, 2), device=x.device)
        shared = 4 * (2 * rows * channels + rows)
        grid = (chunks, windows, 1)
        self.norms("moments_last")(grid, THREADS, x, parts, voxels, channels, chunk, shared=shared)
        factors = self._finish(parts, affine, voxels, chunk, eps)
        out = torch.empty_like(x)
        self.norms("apply_last")(grid, THREADS, x, factors, added, out, voxels, channels, chunk, slope)
        return out

    def norm_first_(self, x: torch.Tensor, eps: float) -> torch.Tensor:
        """An instance norm of channels first without weights, in place."""
        rows, voxels = x.shape[0] * x.shape[1], x[0, 0].numel()
        grid, chunk, whole = self._through(rows, voxels)
        parts = torch.empty((rows, grid[0], 1, 2), device=x.device)
        self.norms("moments_first")(grid, THREADS, x, parts, voxels, chunk, whole)
        factors = self._finish(parts, None, voxels, chunk, eps)
        self.norms("apply_first")(grid, THREADS, x, factors, voxels, chunk, whole)
        return x

    def bias_gelu_(self, x_nks: torch.Tensor, bias_k1: torch.Tensor) -> torch.Tensor:
        """GELU (erf's) of values plus a bias of their channel, in place."""
        windows, channels, voxels = x_nks.shape
        grid, chunk, whole = self._through(windows * channels, voxels)
        self.norms("bias_gelu")(grid, THREADS, x_nks, bias_k1, channels, voxels, chunk, whole)
        return x_nks

    def depthwise(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """A depthwise convolution of stride 1 among zeros, as large as x (N, C, X, Y, Z).

        weight: (C, 1, KX, KY, KZ) with odd sizes up to LARGEST.
        """
        kernel, (windows, channels, *shape) = weight.shape[2:], x.shape
        sizes = tuple(f"K{axis}={size}" for axis, size in zip("XYZ", kernel, strict=True))
        function = self.compiled("depthwise", (TYPES[self.dtype], *sizes))("depthwise")
        deep, wide, long = shape
        lanes = min(LANES, ceil(long / QUAD))
        high = min(wide, THREADS // lanes)
        tiles = ceil(wide / high) * ceil(long / (lanes * QUAD))
        grid = (tiles, ceil(deep / DEEP), windows * channels)
        tile = (high + kernel[1] - 1) * (lanes * QUAD + 2 * MARGIN)
        out = torch.empty_like(x)
        function(grid, lanes * high, x, weight, out, channels, *shape, DEEP, lanes, shared=2 * 4 * tile)
        return out

    def _is_own(self, x: torch.Tensor) -> bool:
        return str(x.device) == self.device and x.dtype == self.dtype and x.data_ptr() % ALIGNED == 0

    def _through(self, rows: int, voxels: int) -> tuple[tuple[int, int, int], int, int]:
        """Blocks that go through rows of voxels, the voxels of each, and whether vectors make up a row."""
        chunk = max(ceil(voxels * rows / BLOCKS), THREADS * self.vector)
        chunk = ceil(chunk / self.vector) * self.vector
        return (ceil(voxels / chunk), rows, 1), chunk, int(voxels % self.vector == 0)

    def _finish(
        self,
        parts: torch.Tensor,
        affine: tuple[torch.Tensor, torch.Tensor] | None,
        voxels: int,
        chunk: int,
        eps: float,
    ) -> torch.Tensor:
        """What norms each channel, (N, C, FACTORS), from the moments of its chunks (N, chunks, C, 2)."""
        windows, chunks, channels, _ = parts.shape
        weight, bias = affine or (None, None)
        factors = torch.empty((windows, channels, FACTORS), device=parts.device)
        warps = min(channels, THREADS // WARP)
        grid = (ceil(channels / warps), windows, 1)
        self.norms("finish")(
            grid, warps * WARP, parts, weight, bias, factors, voxels, channels, chunk, chunks, eps
        )
        return factors


def open_kernels(device: str, dtype: torch.dtype) -> Kernels:
    """The kernels of a device. Raises NoKernels where they cannot be compiled."""
    kernels = Kernels(
        dtype, device, lambda name, defines: compile_source(source(name), defines, device=device)
    )
    _ = kernels.norms
    return kernels


@cache
def source(name: str) -> str:
    """What is compiled: the kernels of a file, and what stands before all of them."""
    folder = files("segcube.backends.cuda")
    return "\n".join((folder / part).read_text() for part in ("values.cuh", f"{name}.cu"))
