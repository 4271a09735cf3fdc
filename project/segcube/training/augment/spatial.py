"""Draw where the voxels of a patch lie in the case: rotation, scaling, shear, deformation, mirrors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from segcube.core import Shape
from segcube.training.augment.affine import Matrix, rotate_and_scale, scale_shear_and_rotate
from segcube.training.augment.draws import happens
from segcube.training.patches import is_dummy_2d, rotation_degrees
from segcube.training.recipes import Spatial


@dataclass(frozen=True)
class ElasticDraw:
    """A displacement field: the deviation of its smoothing and its largest displacement.

    Both in voxels, one value for each component of the displacement.
    """

    sigmas: NDArray[np.float64]
    magnitudes: NDArray[np.float64]


@dataclass(frozen=True)
class SpatialDraw:
    """How a patch is transformed.

    matrix: from offsets in the patch to offsets in the case; None for the identity. mirrored: array axes.
    """

    matrix: Matrix | None = None
    mirrored: tuple[int, ...] = ()
    elastic: ElasticDraw | None = None

    @property
    def copies(self) -> bool:
        """Whether voxels are copied as they are, without interpolation."""
        return self.matrix is None and self.elastic is None

    @property
    def keeps_planes(self) -> bool:
        """Whether the first axis is not mixed with the others."""
        if self.matrix is None or self.elastic is not None:
            return False
        return not (self.matrix[0, 1:].any() or self.matrix[1:, 0].any())


def draw_spatial(
    spatial: Spatial, patch: Shape, mirrorable: tuple[int, ...], rng: np.random.Generator
) -> SpatialDraw:
    """Draw the transform of one patch. mirrorable: array axes that may be mirrored."""
    flat = is_dummy_2d(spatial, patch)
    matrix = _draw_affine(spatial, flat, rng) if spatial.affine else _draw_rotation(spatial, patch, rng)
    elastic = _draw_elastic(spatial, flat, patch, rng)
    p = spatial.mirror.p if spatial.mirror else 0.0
    mirrored = tuple(axis for axis in mirrorable if happens(rng, p))
    return SpatialDraw(matrix, mirrored, elastic)


def _draw_rotation(spatial: Spatial, patch: Shape, rng: np.random.Generator) -> Matrix | None:
    rotation, scaling = spatial.rotation, spatial.scaling
    angles, factor = np.zeros(3), 1.0
    turns = rotation is not None and happens(rng, rotation.p)
    scales = scaling is not None and happens(rng, scaling.p)
    if rotation is not None and turns:
        degrees = rotation_degrees(rotation, spatial, patch)
        angles = np.deg2rad(rng.uniform(-degrees, degrees, 3))
    if scaling is not None and scales:
        factor = float(rng.uniform(*scaling.factor))
    if not (turns or scales):
        return None
    if is_dummy_2d(spatial, patch):
        return rotate_and_scale((angles[0], 0, 0), (1, factor, factor))
    return rotate_and_scale(angles, (factor, factor, factor))


def _draw_affine(spatial: Spatial, flat: bool, rng: np.random.Generator) -> Matrix | None:
    affine = spatial.affine
    if affine is None or not happens(rng, affine.p):
        return None
    angles = np.deg2rad(rng.uniform(-affine.degrees, affine.degrees, 3))
    factors = 1 + rng.uniform(-affine.scaling, affine.scaling, 3)
    shears = rng.uniform(-affine.shear, affine.shear, 6)
    if flat:
        # Nothing that moves or mixes in the first axis
        angles[1:], factors[0], shears[[0, 1, 2, 4]] = 0, 1, 0
    return scale_shear_and_rotate(angles, factors, shears)


def _draw_elastic(spatial: Spatial, flat: bool, patch: Shape, rng: np.random.Generator) -> ElasticDraw | None:
    if spatial.elastic is None or not happens(rng, spatial.elastic.p):
        return None
    sigmas = rng.uniform(*spatial.elastic.scale, 3) * patch
    magnitudes = rng.uniform(*spatial.elastic.magnitude, 3) * sigmas
    if flat:
        magnitudes[0] = 0
    return ElasticDraw(sigmas, magnitudes)


def displacement(normal_kxyz: torch.Tensor, elastic: ElasticDraw) -> torch.Tensor:
    """Turn normal noise into a displacement field, as batchgeneratorsv2's SpatialTransform does.

    normal_kxyz: (3, X, Y, Z). Each component is smoothed by a Gaussian over a periodic volume, scaled to its
    largest displacement, and shifted to mean 0, so that the patch stays where it is. Returns that shape, in
    voxels.
    """
    shape = normal_kxyz.shape[1:]
    spectrum = torch.fft.rfftn(normal_kxyz, dim=(1, 2, 3))
    for axis, size in enumerate(shape):
        frequencies = torch.fft.rfftfreq if axis == 2 else torch.fft.fftfreq
        squares = (2 * torch.pi * frequencies(size, device=normal_kxyz.device)) ** 2
        view = [1, 1, 1]
        view[axis] = -1
        for component, sigma in enumerate(elastic.sigmas):
            spectrum[component] *= torch.exp(-0.5 * float(sigma) ** 2 * squares).reshape(view)
    field_kxyz = torch.fft.irfftn(spectrum, s=shape, dim=(1, 2, 3))
    for component, magnitude in enumerate(elastic.magnitudes):
        one_xyz = field_kxyz[component]
        one_xyz *= max(float(magnitude), 1e-8) / one_xyz.abs().amax()
        one_xyz -= one_xyz.mean()
    return field_kxyz
