"""Patch, batch and topology after nnU-Net's rules, and its low-resolution plan for large cases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from segcube.core import Shape, UsageError, Vector
from segcube.training.plan.architecture import NetworkTask, depth_of, features_of, unet_arguments
from segcube.training.plan.grid import TrainingGrid
from segcube.training.plan.schema import Resolution
from segcube.training.plan.topology import Topology, count_feature_voxels, plan_topology, reduce_patch

LARGEST_EDGE = {3: 256, 2: 2048}
"""Of a cube or square that has as many voxels as the first patch, by its dimensions."""
REFERENCE_BATCH = 2
"""Samples that the recipe's reference is for; also the smallest batch."""
REFERENCE_BATCH_2D = 12
"""Samples that its reference in 2d is for."""
SMALLEST_SHARE = 0.25
"""Of a median case; where the patch shows less, there is a low-resolution plan as well."""
LEAST_REDUCTION = 2.0
"""How many times fewer voxels a median case has to have in the low-resolution plan."""
COARSER = 1.03
"""Factor of the spacing from one attempt to the next."""


@dataclass(frozen=True)
class _Sized:
    """A topology with its patch, and a batch, for cases at one spacing."""

    spacing: Vector
    median_shape: Vector
    topology: Topology
    batch: int


def plan_sizes(grid: TrainingGrid, task: NetworkTask) -> tuple[Resolution, Resolution | None]:
    """Plan full resolution, and low resolution where nnU-Net would: its `plan_experiment` for 3-D.

    Raises UsageError for cases that are too small for a U-Net, and for memory that no patch fits.
    """
    full = _size(grid.spacing, grid.median_shape, grid.median_voxels * grid.cases, task)
    low = _low_resolution(full, grid, task)
    return _resolution(full, task), None if low is None else _resolution(low, task)


def plan_slices(grid: TrainingGrid, task: NetworkTask) -> Resolution:
    """Plan patches of one slice across the first axis: nnU-Net's 2d configuration. Raises as `plan_sizes`."""
    spacing, shape = _of_slices(grid)
    sized = _size(spacing, shape, grid.median_voxels * grid.cases, task)
    return _resolution(replace(sized, spacing=grid.spacing, median_shape=grid.median_shape), task)


def _of_slices(grid: TrainingGrid) -> tuple[Vector, Vector]:
    """Spacing and median shape of a plan of slices."""
    return (math.inf, *grid.spacing[1:]), (1.0, *grid.median_shape[1:])


def fixed_size(grid: TrainingGrid, task: NetworkTask, patch: Shape, batch: int) -> Resolution:
    """Plan an nnU-Net network for a given patch and batch.

    Raises UsageError for a patch that the stages do not divide, with the closest one that they do.
    """
    is_2d = task.recipe.planning.resolution == "2d"
    topology = plan_topology(_of_slices(grid)[0] if is_2d else grid.spacing, patch)
    if topology.patch != patch:
        found = f"recipe {task.recipe.name}: planning.patch = {list(patch)}"
        expected = f"a patch that the network's stages divide, such as {list(topology.patch)}"
        raise UsageError(found, expected=expected)
    return _resolution(_Sized(grid.spacing, grid.median_shape, topology, batch), task)


def _size(spacing: Vector, median_shape: Vector, voxels: float, task: NetworkTask) -> _Sized:
    """Find the largest patch that the memory target permits, then the batch.

    voxels: of the whole data set at this spacing.
    """
    planning = task.recipe.planning
    axes = [axis for axis in range(3) if not math.isinf(spacing[axis])]
    reference, reference_batch = planning.reference, REFERENCE_BATCH
    if len(axes) == 2:
        reference, reference_batch = planning.reference_2d, REFERENCE_BATCH_2D
    limit = reference * (planning.memory_gb / planning.reference_gb)
    topology = plan_topology(spacing, _first_patch(spacing, median_shape))
    # nnU-Net's default planner lets the smallest batch fit, those of ResEnc the reference's
    fitted_batch = REFERENCE_BATCH if task.recipe.network.name == "PlainConvUNet" else reference_batch
    while (needed := _feature_voxels(topology, task)) * fitted_batch > limit * reference_batch:
        # Of equal axes the last one, as in nnU-Net with a stable argsort; numpy promises no order there
        axis = max(axes, key=lambda axis: (topology.patch[axis] / median_shape[axis], axis))
        if topology.patch[axis] == 1:
            found = f"recipe {task.recipe.name}: planning.memory_gb = {planning.memory_gb:g}"
            raise UsageError(
                f"{found} is too little for any patch", expected="more memory, or fewer features"
            )
        topology = reduce_patch(topology, spacing, axis)
    most = round(voxels * planning.largest_batch_share / math.prod(topology.patch))
    batch = max(min(round(limit / needed * reference_batch), most), REFERENCE_BATCH)
    return _Sized(spacing, median_shape, topology, batch)


def _first_patch(spacing: Vector, median_shape: Sequence[float]) -> list[float]:
    """A patch of equal edges in mm, with as many voxels as a large cube, but no larger than a median case."""
    finite = np.isfinite(spacing)
    density, dimensions = 1 / np.array(spacing)[finite], int(finite.sum())
    edges = np.ones(3)
    size = LARGEST_EDGE[dimensions] ** dimensions / np.prod(density)
    edges[finite] = density * size ** (1 / dimensions)
    return [min(round(edge), length) for edge, length in zip(edges, median_shape, strict=True)]


def _feature_voxels(topology: Topology, task: NetworkTask) -> int:
    stages = len(topology.strides)
    features = features_of(task.recipe.planning, stages)
    return count_feature_voxels(topology, features, depth_of(task.recipe.network.name, stages), task.classes)


def _low_resolution(full: _Sized, grid: TrainingGrid, task: NetworkTask) -> _Sized | None:
    """Coarsen the spacing until a patch shows enough of a median case; None where it already does, or nearly.

    Axes that are more than twice as fine as the coarsest are coarsened first.
    """
    first, spacing, median_voxels, low = (
        np.array(full.spacing),
        np.array(full.spacing),
        grid.median_voxels,
        full,
    )
    while math.prod(low.topology.patch) / median_voxels < SMALLEST_SHARE:
        finer = spacing.max() / spacing > 2
        spacing = np.where(finer if finer.any() else True, spacing * COARSER, spacing)
        shape = first / spacing * np.array(full.median_shape)
        median_voxels = float(np.prod(shape))
        low = _size(_vector(spacing), _vector(map(round, shape)), median_voxels * grid.cases, task)
    return low if grid.median_voxels / median_voxels >= LEAST_REDUCTION else None


def _resolution(sized: _Sized, task: NetworkTask) -> Resolution:
    if len(sized.topology.strides) < 2:
        shape = " x ".join(f"{length:g}" for length in sized.median_shape)
        found = f"cases of {shape} voxels are too small for {task.recipe.network.name}"
        raise UsageError(found, expected="at least 8 voxels along two axes", hint="choose a finer spacing")
    return Resolution(
        spacing=sized.spacing,
        median_shape=sized.median_shape,
        patch=sized.topology.patch,
        batch=sized.batch,
        arguments=unet_arguments(sized.topology, task),
    )


def _vector(values: Sequence[float] | np.ndarray | map[int]) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
