"""The parts of a mask that count as one lesion each."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import ndimage

from segcube.evaluate.borders import border_of
from segcube.evaluate.dilation import dilated
from segcube.evaluate.surfels import Surface, surface_of, united
from segcube.postprocess.components import find_components
from segcube.preprocess import mask_box
from segcube.types import Vector


@dataclass(frozen=True)
class Parts:
    """A mask's parts by number: 1 and up, 0 for the background; numbers may be missing.

    Parts are made of whole 26-connected components, so no two of them share a neighbourhood, and the surface
    of several is theirs put together.
    """

    ids_xyz: np.ndarray
    """int32."""
    _surfaces: dict[int, Surface] = field(default_factory=dict, repr=False)
    _borders: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Voxels of each number; 0 for the background."""
        sizes = np.bincount(self.ids_xyz[self.ids_xyz > 0], minlength=1)
        sizes[0] = 0
        return sizes

    @property
    def numbers(self) -> list[int]:
        """The numbers that have voxels, in order."""
        return np.flatnonzero(self.sizes).tolist()

    @property
    def is_empty(self) -> bool:
        return not self.numbers

    @cached_property
    def _boxes(self) -> list[tuple[slice, slice, slice]]:
        return ndimage.find_objects(self.ids_xyz)

    def slices_of(self, number: int, margin: int = 0) -> tuple[slice, slice, slice]:
        """The smallest box around a part, grown by `margin` voxels and clipped."""
        box = self._boxes[number - 1]
        x, y, z = (slice(max(side.start - margin, 0), side.stop + margin) for side in box)
        return x, y, z

    def cut(self, number: int) -> tuple[np.ndarray, tuple[int, int, int]]:
        """The mask of a part in its box, and where that starts."""
        x, y, z = slices = self.slices_of(number)
        return self.ids_xyz[slices] == number, (x.start, y.start, z.start)

    def surface_of(self, numbers: tuple[int, ...], spacing: Vector) -> Surface:
        """The surface of some parts together."""
        for number in numbers:
            if number not in self._surfaces:
                mask_xyz, origin = self.cut(number)
                self._surfaces[number] = surface_of(mask_xyz, spacing, origin)
        return united([self._surfaces[number] for number in numbers])

    def surface(self, spacing: Vector) -> Surface:
        """The surface of all parts together."""
        return self.surface_of(tuple(self.numbers), spacing)

    def numbered_surface(self, spacing: Vector) -> Surface:
        """The surface of all parts together, each weighted with its own number."""
        surfaces: list[Surface] = []
        for number in self.numbers:
            mask_xyz, origin = self.cut(number)
            surfaces.append(surface_of(mask_xyz, spacing, origin, weight=number))
        return united(surfaces)

    def border_of(self, numbers: tuple[int, ...]) -> np.ndarray:
        """The border voxels of some parts together, (N, 3)."""
        for number in numbers:
            if number not in self._borders:
                mask_xyz, origin = self.cut(number)
                self._borders[number] = border_of(mask_xyz, origin)
        borders = [self._borders[number] for number in numbers]
        return np.concatenate(borders) if borders else np.zeros((0, 3), dtype=np.int64)

    def border(self) -> np.ndarray:
        """The border voxels of all parts together, (N, 3)."""
        return self.border_of(tuple(self.numbers))

    def without(self, largest: float) -> Parts:
        """The parts that have more voxels than `largest`, under their numbers."""
        kept = self.sizes > largest
        return Parts(np.where(kept[self.ids_xyz], self.ids_xyz, 0).astype(np.int32))

    def renumbered(self) -> Parts:
        """The same parts, their numbers from 1 and without gaps, in the same order."""
        order = np.cumsum(self.sizes > 0, dtype=np.int32) * (self.sizes > 0)
        return Parts(order.astype(np.int32)[self.ids_xyz])


def find_parts(mask_xyz: np.ndarray, dilation: int = 0) -> Parts:
    """Part a mask: 26-connected components of the mask dilated, each cut back to the mask's own voxels.

    dilation: steps of 18-neighbour dilation, in voxels; 0 gives the plain components. Numbers follow the
    first voxel of each dilated component, in C order. An empty mask has no part.
    """
    ids_xyz = np.zeros(mask_xyz.shape, dtype=np.int32)
    box = mask_box(mask_xyz, (dilation, dilation, dilation))
    if box is None:
        return Parts(ids_xyz)
    inner_xyz = np.ascontiguousarray(box.apply(mask_xyz))
    grown_xyz = dilated(inner_xyz, dilation)
    x, y, z = grown_xyz.shape
    components = find_components(grown_xyz, 26, type(box)((0, 0, 0), (x, y, z)))
    ids_xyz[box.slices] = np.where(inner_xyz, components.ids_xyz, 0)
    return Parts(ids_xyz)
