"""Draw which patches a batch shows: the case, and a random place or a voxel of a random class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from segcube.core import Shape, UsageError, Vector
from segcube.training.keys import StepKey
from segcube.training.patches import PatchDraw, PatchRules, initial_patch
from segcube.training.recipes import Sampling


class PatchCase(Protocol):
    """What sampling needs of a case: of the cache, or a phantom."""

    @property
    def shape(self) -> Shape:
        """Voxels along each axis."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """The outputs that the case has voxels of."""
        ...

    @property
    def class_voxels(self) -> Mapping[str, np.ndarray]:
        """Stored voxels (N, 3) of each output; N may be 0."""
        ...

    @property
    def annotated_voxels(self) -> np.ndarray | None:
        """Stored voxels (N, 3) with a known label; None where no voxel may be ignored."""
        ...


def draw_patches(
    cases: Sequence[PatchCase],
    rules: PatchRules,
    key: StepKey,
    samples: Sequence[int],
    phantoms: Sequence[PatchCase] = (),
) -> list[PatchDraw]:
    """Draw the patch of each sample of a step, each from a case at random, as nnU-Net's loader does.

    samples: their numbers in the step. phantoms: of which a share of the samples is drawn; their
    numbers follow those of the cases. Raises UsageError without cases.
    """
    if not cases and not phantoms:
        raise UsageError("no training case", expected="a fold with at least one")
    sampling = rules.sampling
    reach = rules.patch
    if sampling.position == "nnunet":
        reach = initial_patch(rules.augmentation.spatial, rules.patch)
    foreground = sampling.foreground_at(key.step / rules.steps)
    draws: list[PatchDraw] = []
    for sample in samples:
        rng = key.generator("patch", sample)
        index = int(rng.integers(len(cases))) if cases else 0
        if phantoms and key.generator("synthetic", sample).random() < rules.phantoms:
            index = len(cases) + int(rng.integers(len(phantoms)))
        case = cases[index] if index < len(cases) else phantoms[index - len(cases)]
        is_forced = _is_forced(sampling.draw, foreground, sample % rules.batch, rules.batch, rng)
        name = _draw_class(case, sampling, rng) if is_forced else None
        voxel = _draw_voxel(case, name, sampling, rng)
        centre = _draw_centre(case.shape, rules.patch, reach, voxel, sampling, rng)
        draws.append(PatchDraw(sample, index, centre, name))
    return draws


def _is_forced(draw: str, foreground: float, sample: int, batch: int, rng: np.random.Generator) -> bool:
    if draw == "probability":
        return bool(rng.random() < foreground)
    # Halves round to even, as in nnU-Net: of a batch of two the second is forced at one third
    return sample >= round(batch * (1 - foreground))


def _draw_class(case: PatchCase, sampling: Sampling, rng: np.random.Generator) -> str | None:
    """An output that the case has voxels of; None if there is none of a positive weight."""
    if sampling.class_weights is None:
        weights = np.ones(len(case.classes))
    else:
        weights = np.array([sampling.class_weights.get(name, 0.0) for name in case.classes])
    if not weights.sum():
        return None
    return case.classes[int(rng.choice(len(weights), p=weights / weights.sum()))]


def _draw_voxel(
    case: PatchCase, name: str | None, sampling: Sampling, rng: np.random.Generator
) -> np.ndarray | None:
    """A stored voxel of an output, or with a known label where voxels may be ignored; None for any place."""
    voxels = case.class_voxels[name] if name is not None else case.annotated_voxels
    if voxels is None or not len(voxels):
        return None
    if name is not None and sampling.voxels == "slices":
        slices = np.unique(voxels[:, 0])
        voxels = voxels[voxels[:, 0] == slices[int(rng.integers(len(slices)))]]
    return voxels[int(rng.integers(len(voxels)))].astype(int)


def _draw_centre(
    case: Shape,
    patch: Shape,
    reach: Shape,
    voxel: np.ndarray | None,
    sampling: Sampling,
    rng: np.random.Generator,
) -> Vector:
    """The centre of a patch, in voxels of the case.

    nnU-Net places a larger patch, `reach`, which may lie beyond the case by half of what it is larger on each
    side, and takes the middle of it. A forced voxel lies behind half of `reach` from its start, at most
    before it where the start would lie too low.
    """
    low, high = _bounds(case, patch, reach, sampling)
    if voxel is None:
        start = rng.integers(low, high + 1)
    else:
        start = np.maximum(low, voxel - np.array(reach) // 2)
        if sampling.position == "inside":
            start = np.minimum(start, high)
    x, y, z = (start + (np.array(reach) - 1) / 2).tolist()
    return x, y, z


def _bounds(case: Shape, patch: Shape, reach: Shape, sampling: Sampling) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest start of `reach` along each axis."""
    size, wanted = np.array(case), np.array(reach)
    if sampling.position == "inside":
        # A case that is smaller lies in the middle of the patch
        low = np.minimum(0, -((wanted - size) // 2))
        return low, np.maximum(low, size - wanted)
    beyond = np.maximum(wanted - np.array(patch), wanted - size)
    half = -(-beyond // 2)
    return -half, size + half - wanted
