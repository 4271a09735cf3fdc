"""The grid of a patch in its case: which voxels it reaches, and the position of each of its voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from segcube.core import Box, Shape, Vector
from segcube.training.augment.spatial import SpatialDraw


@dataclass(frozen=True)
class PatchGrid:
    """The voxels of a patch in a case. centre: in voxels of the case, 0 at the centre of the first one."""

    shape: Shape
    centre: Vector
    draw: SpatialDraw

    @property
    def copied_box(self) -> Box:
        """The voxels that a patch without interpolation copies; they may lie beyond the case.

        A patch with an even number of voxels has no voxel at its centre: it begins half a voxel before
        where an interpolated one begins, as with batchgeneratorsv2.
        """
        middle = [int(np.floor(centre + 0.5)) for centre in self.centre]
        x, y, z = (at - size // 2 for at, size in zip(middle, self.shape, strict=True))
        return Box((x, y, z), (x + self.shape[0], y + self.shape[1], z + self.shape[2]))

    def needed_box(self, case: Shape) -> Box:
        """The voxels of a case of a shape that the patch is interpolated from; at least one."""
        reach = np.abs(self._matrix) @ self._half_extents
        low = np.floor(np.subtract(self.centre, reach)).astype(int) - 1
        high = np.ceil(np.add(self.centre, reach)).astype(int) + 2
        low = np.clip(low, 0, np.array(case) - 1)
        high = np.clip(high, low + 1, case)
        (x, y, z), (a, b, c) = low.tolist(), high.tolist()
        return Box((x, y, z), (a, b, c))

    def positions(
        self, origin: Sequence[int], device: torch.device, field_kxyz: torch.Tensor | None
    ) -> list[torch.Tensor]:
        """Positions of the patch's voxels, in voxels from a corner of the case.

        origin: the corner. field_kxyz: the displacement of every voxel of the patch. Returns three
        float32 tensors (X, Y, Z), one for each axis of the case.
        """
        # From Python numbers alone: nothing is copied to the device, which would wait for it
        steps = [torch.arange(size, dtype=torch.float32, device=device) for size in self.shape]
        matrix = self._matrix
        start = np.array(self.centre) - origin - matrix @ ((np.array(self.shape) - 1) / 2)
        found: list[torch.Tensor] = []
        for axis in range(3):
            x, y, z = (step * float(matrix[axis, other]) for other, step in enumerate(steps))
            position = (x + float(start[axis]))[:, None, None] + y[:, None] + z
            if field_kxyz is not None:
                for other in range(3):
                    position = position.add(field_kxyz[other], alpha=float(self._turn[axis, other]))
            found.append(position)
        return found

    @property
    def _turn(self) -> np.ndarray:
        return np.eye(3) if self.draw.matrix is None else self.draw.matrix

    @property
    def _matrix(self) -> np.ndarray:
        """From the patch's axes, mirrored or not, to those of the case."""
        return self._turn * [-1.0 if axis in self.draw.mirrored else 1.0 for axis in range(3)]

    @property
    def _half_extents(self) -> np.ndarray:
        extents = (np.array(self.shape) - 1) / 2
        # Displacements are shifted to mean 0, by at most their largest one
        return extents if self.draw.elastic is None else extents + 2 * self.draw.elastic.magnitudes
