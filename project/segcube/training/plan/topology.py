"""Topology of a U-Net after nnU-Net: which axes are pooled where, kernels, and the size of feature maps.

These are nnU-Net 2.8.1's `get_pool_and_conv_props` and dynamic-network-architectures'
`compute_conv_feature_map_size`. All axes are in the network's order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from segcube.core import Shape, Vector

SMALLEST_EDGE = 4
"""Of the feature maps at the lowest resolution, in voxels."""
SIMILAR = 2.0
"""An axis is pooled, and gets a kernel of 3, once its spacing is less than so many times the smallest."""


@dataclass(frozen=True)
class Topology:
    """The stages of an encoder, from full to lowest resolution, and the patch that fits them."""

    patch: Shape
    strides: tuple[Shape, ...]
    kernels: tuple[Shape, ...]

    @property
    def multiple(self) -> Shape:
        """The number that each axis of the patch is divisible by."""
        return _three(math.prod(stage[axis] for stage in self.strides) for axis in range(3))


def plan_topology(spacing: Vector, size: Sequence[float]) -> Topology:
    """Plan the stages for a patch of about `size` voxels, which is rounded up to what they divide.

    spacing: in mm; infinite along an axis where nothing is pooled or convolved, in a plan of slices. size:
    may have halves, as the median of an even number of cases has.
    """
    edges, sizes = list(spacing), list(size)
    strides, kernels, kernel = [(1, 1, 1)], list[Shape](), (1, 1, 1)
    while axes := _pooled_axes(edges, sizes):
        smallest = min(edges)
        kernel = _three(
            3 if width == 3 or edge / smallest < SIMILAR else 1
            for width, edge in zip(kernel, edges, strict=True)
        )
        kernels.append(kernel)
        strides.append(_three(2 if axis in axes else 1 for axis in range(3)))
        for axis in axes:
            edges[axis] *= 2
            sizes[axis] = math.ceil(sizes[axis] / 2)
    multiples = [math.prod(stage[axis] for stage in strides) for axis in range(3)]
    patch = _three(
        math.ceil(length / multiple) * multiple for length, multiple in zip(size, multiples, strict=True)
    )
    last = _three(1 if math.isinf(edge) else 3 for edge in spacing)
    return Topology(patch, tuple(strides), (*kernels, last))


def _pooled_axes(spacing: Sequence[float], size: Sequence[float]) -> list[int]:
    """The axes that the next stage halves: long enough, and among the finest of these."""
    long = [axis for axis in range(3) if size[axis] >= 2 * SMALLEST_EDGE]
    smallest = min((spacing[axis] for axis in long), default=0.0)
    fine = [axis for axis in long if spacing[axis] / smallest < SIMILAR]
    # An axis that is pooled alone has to be longer
    return [] if len(fine) == 1 and size[fine[0]] < 3 * SMALLEST_EDGE else fine


def reduce_patch(topology: Topology, spacing: Vector, axis: int) -> Topology:
    """Shorten one axis of the patch by the smallest step that its stages permit, and plan the stages anew."""
    shorter = _with(topology.patch, axis, topology.patch[axis] - topology.multiple[axis])
    # A shorter axis may be pooled less often, and then permits a smaller step: 224 after 256, not 192
    step = plan_topology(spacing, shorter).multiple[axis]
    return plan_topology(spacing, _with(topology.patch, axis, topology.patch[axis] - step))


@dataclass(frozen=True)
class Depth:
    """Convolutions (or residual blocks of two) of each encoder stage, and convolutions of the decoder's."""

    encoder: tuple[int, ...]
    decoder: tuple[int, ...]
    is_residual: bool


def count_feature_voxels(topology: Topology, features: Sequence[int], depth: Depth, classes: int) -> int:
    """Count the voxels of all convolutions' outputs for one sample: nnU-Net's estimate of memory.

    features: of each stage. classes: outputs at full resolution, the only ones that count.
    """
    voxels, size = list[int](), topology.patch
    for stride in topology.strides:
        size = _three(length // step for length, step in zip(size, stride, strict=True))
        voxels.append(math.prod(size))
    stages = [width * count for width, count in zip(features, voxels, strict=True)]
    # Two convolutions a residual block; of each stage one more: a projection, or the stem before the first
    convolutions = [2 * blocks + 1 if depth.is_residual else blocks for blocks in depth.encoder]
    encoder = sum(count * stage for count, stage in zip(convolutions, stages, strict=True))
    # The decoder upsamples to each stage but the last, by a transposed convolution
    upsampled = zip(depth.decoder, reversed(stages[:-1]), strict=True)
    return encoder + sum((count + 1) * stage for count, stage in upsampled) + classes * voxels[0]


def _three(values: Iterable[int]) -> Shape:
    x, y, z = values
    return x, y, z


def _with(shape: Shape, axis: int, length: int) -> Shape:
    return _three(length if other == axis else old for other, old in enumerate(shape))
