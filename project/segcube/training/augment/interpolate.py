"""Interpolate images linearly at any positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch.nn import functional

Border = Literal["zero", "nearest"]
PADDING_MODE = {"zero": "zeros", "nearest": "border"}
"""In the words of grid_sample."""
LANES = 4
"""Channels in half precision that one 64-bit number holds."""


def interpolate_image(
    image_cxyz: torch.Tensor, positions: Sequence[torch.Tensor], border: Border, out_cxyz: torch.Tensor
) -> None:
    """Interpolate an image linearly: (C, *case) float16 at positions of shape (X, Y, Z) into (C, X, Y, Z).

    positions: in voxels, a tensor for each axis. border: what lies beyond the image, 0 or its nearest voxel.
    """
    if image_cxyz.device.type == "cpu" and len(image_cxyz) >= LANES - 1:
        for first in range(0, len(image_cxyz), LANES):
            group = slice(first, first + LANES)
            interpolate_packed(image_cxyz[group], positions, border, out_cxyz[group])
    else:
        interpolate_by_grid(image_cxyz, positions, border, out_cxyz)


def interpolate_by_grid(
    image_cxyz: torch.Tensor, positions: Sequence[torch.Tensor], border: Border, out_cxyz: torch.Tensor
) -> None:
    """Interpolate as interpolate_image does, by torch's grid_sample."""
    image_cxyz = image_cxyz.float()
    for rows in slabs(positions[0], 16):
        grid = _grid([position[rows] for position in positions], image_cxyz.shape[1:])
        # Channels as samples: on a CPU, channels of one sample are three times as slow
        out_cxyz[:, rows] = functional.grid_sample(
            image_cxyz[:, None],
            grid[None].expand(len(image_cxyz), -1, -1, -1, -1),
            padding_mode=PADDING_MODE[border],
            align_corners=False,
        )[:, 0]


def interpolate_packed(
    image_cxyz: torch.Tensor, positions: Sequence[torch.Tensor], border: Border, out_cxyz: torch.Tensor
) -> None:
    """Interpolate as interpolate_image does, up to four channels, which one number holds for each voxel.

    A CPU loads the eight corners once for all channels: twice as fast as grid_sample.
    """
    shape = [size + 2 for size in image_cxyz.shape[1:]]
    # A border of zeros; the nearest voxel needs none, as positions stay within the image
    packed_xyzc = torch.zeros((*shape, LANES), dtype=torch.float16, device=image_cxyz.device)
    for channel, one_xyz in enumerate(image_cxyz):
        packed_xyzc[1:-1, 1:-1, 1:-1, channel] = one_xyz
    flat = packed_xyzc.view(torch.int64).view(-1)
    margin = 1 if border == "nearest" else 0
    for rows in slabs(positions[0], 8):
        ends = [(margin, size - 1 - margin) for size in shape]
        inside = [(p[rows].reshape(-1) + 1).clamp_(*end) for p, end in zip(positions, ends, strict=True)]
        low = [p.to(torch.int32).clamp_(max=size - 2) for p, size in zip(inside, shape, strict=True)]
        corner = (low[0] * shape[1] + low[1]) * shape[2] + low[2]
        shares = [
            (p - first)[:, None].expand(-1, LANES).contiguous() for p, first in zip(inside, low, strict=True)
        ]
        values = _corners_joined(flat, corner, shares, (shape[1] * shape[2], shape[2], 1))
        out_cxyz[:, rows] = values[:, : len(image_cxyz)].T.reshape(out_cxyz[:, rows].shape)


def _corners_joined(
    flat: torch.Tensor, corner: torch.Tensor, shares: Sequence[torch.Tensor], steps: Sequence[int]
) -> torch.Tensor:
    """Interpolate along the axes that are left, the first of them last: (N, LANES) float32.

    flat: packed voxels. corner: the index of the first one. shares: of the next voxel along each axis, and
    steps: to it.
    """
    if not shares:
        return flat.index_select(0, corner).view(torch.float16).view(-1, LANES).float()
    before = _corners_joined(flat, corner, shares[1:], steps[1:])
    after = _corners_joined(flat[steps[0] :], corner, shares[1:], steps[1:])
    return before.lerp_(after, shares[0])


def interpolate_planes(
    image_cxyz: torch.Tensor, positions: Sequence[torch.Tensor], border: Border, out_cxyz: torch.Tensor
) -> None:
    """Interpolate as interpolate_image does, where the first axis is not mixed with the others.

    Positions along the first axis are then the same in a plane, and those within a plane in all planes:
    interpolation between planes, then within them, is seven times as fast on a CPU.
    """
    # Planes of a part of a larger volume are slow to select
    image_cxyz = image_cxyz.contiguous()
    size = image_cxyz.shape[1]
    first = positions[0][:, 0, 0]
    if border == "nearest":
        first = first.clamp(0, size - 1)
    low = first.floor()
    planes = torch.stack((low, low + 1))
    weights = torch.stack((low + 1 - first, first - low)) * ((planes >= 0) & (planes < size))
    planes = planes.clamp(0, size - 1).to(torch.int32)
    grid = _grid([position[0] for position in positions[1:]], image_cxyz.shape[2:])[None]
    for rows in slabs(first, 4):
        below, above = (
            image_cxyz.index_select(1, plane[rows]).float() * weight[rows, None, None]
            for plane, weight in zip(planes, weights, strict=True)
        )
        out_cxyz[:, rows] = functional.grid_sample(
            below.add_(above).flatten(0, 1)[None],
            grid,
            padding_mode=PADDING_MODE[border],
            align_corners=False,
        )[0].unflatten(0, (len(image_cxyz), -1))


def slabs(positions: torch.Tensor, rows: int) -> list[slice]:
    """Rows of the first axis to compute at once: on a CPU only so many, whose arrays stay in its cache."""
    size = len(positions)
    step = rows if positions.device.type == "cpu" else size
    return [slice(first, first + step) for first in range(0, size, step)]


def _grid(positions: Sequence[torch.Tensor], shape: Sequence[int]) -> torch.Tensor:
    """Positions as grid_sample expects them: the last axis first, from -1 to 1 across the outer edges."""
    grid = torch.empty((*positions[0].shape, len(shape)), device=positions[0].device)
    for axis, (position, size) in enumerate(zip(positions, shape, strict=True)):
        torch.mul(position, 2 / size, out=grid[..., len(shape) - 1 - axis]).add_(1 / size - 1)
    return grid
