"""Matrices of rotation, scaling and shear, from offsets in a patch to offsets in the case."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]
SHEARED = ((0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1))
"""Row and column of each shear coefficient."""


def rotations(angles: ArrayLike) -> tuple[Matrix, Matrix, Matrix]:
    """Return the rotations about the three axes; angles in radians."""
    radians = np.asarray(angles, dtype=np.float64)
    (a, b, c), (sa, sb, sc) = np.cos(radians), np.sin(radians)
    about_x = np.array([[1, 0, 0], [0, a, -sa], [0, sa, a]])
    about_y = np.array([[b, 0, sb], [0, 1, 0], [-sb, 0, b]])
    about_z = np.array([[c, -sc, 0], [sc, c, 0], [0, 0, 1]])
    return about_x, about_y, about_z


def rotate_and_scale(angles: ArrayLike, factors: ArrayLike) -> Matrix:
    """Return the matrix that scales, then rotates about x, y and z (batchgeneratorsv2)."""
    about_x, about_y, about_z = rotations(angles)
    return about_z @ about_y @ about_x @ np.diag(np.asarray(factors, dtype=np.float64))


def scale_shear_and_rotate(
    angles: ArrayLike, factors: ArrayLike, shears: NDArray[np.float64] | Sequence[float]
) -> Matrix:
    """Return the matrix that scales, shears, then rotates about z, y and x (MONAI's RandAffine).

    shears: six coefficients, in the order of SHEARED, each a shear of its own, the first applied first.
    """
    about_x, about_y, about_z = rotations(angles)
    sheared = np.eye(3)
    for (row, column), coefficient in zip(SHEARED, shears, strict=True):
        one = np.eye(3)
        one[row, column] = coefficient
        sheared = one @ sheared
    return about_x @ about_y @ about_z @ sheared @ np.diag(np.asarray(factors, dtype=np.float64))
