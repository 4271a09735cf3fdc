"""Interpolate labels at any positions: by the largest share, or of the nearest voxel."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch.nn import functional

from segcube.training.augment.interpolate import slabs
from segcube.training.patches import OUTSIDE

TIE = 5e-4
"""Shares of labels that differ by less are equal; batchgeneratorsv2 compares them in half precision."""
PADDING = 2
"""Voxels around labels, so that no position reads beyond; an even number, as halves round to even ones."""
MIXED = 256
"""Marks cells whose eight corners have different labels."""


class LabelSampler:
    """Samples labels (X, Y, Z) uint8 at positions in voxels.

    present: all labels that may occur; of equal shares without that of the nearest voxel the first one's
    wins. outside: the label beyond the border; None for that of the nearest voxel.
    """

    def __init__(self, labels_xyz: torch.Tensor, present: Sequence[int], outside: int | None) -> None:
        known = {*present} if outside is None else {*present, outside}
        # The order of nnU-Net, whose label outside is -1
        self.present = sorted(known, key=lambda label: (label != OUTSIDE, label))
        self.shape = [size + 2 * PADDING for size in labels_xyz.shape]
        self.margin = PADDING if outside is None else 0
        self.padded_xyz = functional.pad(labels_xyz, [PADDING] * 6, value=outside or 0)

    def nearest(self, positions: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the label of the nearest voxel; halfway between two, of the even one, as grid_sample."""
        return self._take(
            self.padded_xyz, [position.round().to(torch.int32) for position in self._inside(positions)]
        )

    def largest_share(self, positions: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the label whose mask, linearly interpolated, is largest; of equal ones the nearest voxel's.

        As batchgeneratorsv2's SpatialTransform. On a CPU, only where a voxel's neighbours differ.
        """
        inside = self._inside(positions)
        if inside[0].device.type != "cpu":
            return self._vote(inside)
        cells_xyz, found = self._cells(), torch.empty(inside[0].shape, dtype=torch.int16)
        for rows in slabs(found, 16):
            found[rows] = self._take(cells_xyz, self._low([position[rows] for position in inside]))
        mixed = (found == MIXED).view(-1).nonzero()[:, 0]
        winners = self._vote([position.view(-1)[mixed] for position in inside])
        labels = found.to(torch.uint8)
        labels.view(-1)[mixed] = winners
        return labels

    def _low(self, inside: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The first corners of the cells between eight voxels."""
        return [
            position.to(torch.int32).clamp_(max=size - 2)
            for position, size in zip(inside, self.shape, strict=True)
        ]

    def _inside(self, positions: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Positions in the padded labels; those beyond are on its border."""
        return [
            (position + PADDING).clamp_(self.margin, size - 1 - self.margin)
            for position, size in zip(positions, self.shape, strict=True)
        ]

    def _cells(self) -> torch.Tensor:
        """The label of each cell between eight voxels, MIXED where they differ."""
        low = high = self.padded_xyz
        for axis, size in enumerate(self.shape):
            low = torch.minimum(low.narrow(axis, 0, size - 1), low.narrow(axis, 1, size - 1))
            high = torch.maximum(high.narrow(axis, 0, size - 1), high.narrow(axis, 1, size - 1))
        return torch.where(low == high, low.to(torch.int16), MIXED)

    def _take(self, table_xyz: torch.Tensor, places: Sequence[torch.Tensor]) -> torch.Tensor:
        x, y, z = places
        flat = (x * table_xyz.shape[1] + y) * table_xyz.shape[2] + z
        return table_xyz.reshape(-1).index_select(0, flat.view(-1)).view(flat.shape)

    def _vote(self, inside: Sequence[torch.Tensor]) -> torch.Tensor:
        low = self._low(inside)
        parts = [position - first for position, first in zip(inside, low, strict=True)]
        corners, weights = [], []
        for steps in itertools.product((0, 1), repeat=3):
            places = [first + step for first, step in zip(low, steps, strict=True)]
            corners.append(self._take(self.padded_xyz, places))
            x, y, z = (part if step else 1 - part for part, step in zip(parts, steps, strict=True))
            weights.append(x * y * z)
        nearest = self._take(self.padded_xyz, [position.round().to(torch.int32) for position in inside])
        winner = torch.full_like(nearest, self.present[0])
        best = torch.zeros_like(weights[0])
        own = torch.zeros_like(best)
        for label in self.present:
            share = torch.zeros_like(best)
            for corner, weight in zip(corners, weights, strict=True):
                share.add_(weight * (corner == label))
            winner = torch.where(share > best, label, winner)
            best = torch.maximum(best, share)
            own = torch.where(nearest == label, share, own)
        return torch.where(own > best - TIE, nearest, winner)
