"""Channels without a finite voxel, and channels with another grid than the reference."""

from __future__ import annotations

import numpy as np

from ..formats.nifti.conftest import AFFINE
from .make_case import REFERENCE, Fault, SyntheticCase, table, voxels

NAN, INF = float("nan"), float("inf")


def valued(value: float, dtype: str = "f4", channel: str = "t1n", **how):
    return lambda case: case.store(channel, image=np.full(case.voxels().shape, value, dtype), **how)


def nothing_finite(case: SyntheticCase) -> None:
    image_xyz = np.full(case.voxels().shape, NAN, "f4")
    image_xyz[::2] = INF
    image_xyz[0, 0, 0] = -INF
    case.store(image=image_xyz)


NONFINITE = table(
    "NONFINITE",
    all_nan=valued(NAN),
    all_nan_in_the_reference=valued(NAN, channel=REFERENCE),
    all_nan_in_float64=valued(NAN, "f8"),
    all_infinite=valued(INF),
    all_less_than_infinite=valued(-INF),
    nothing_finite=nothing_finite,
    all_past_float32=valued(1e300, "f8"),
    all_scaled_past_float32=valued(30000, "i2", fields={"scl_slope": 3e38}),
)


def shaped(*shape: int, channel: str = "t1n"):
    return lambda case: case.store(channel, image=np.resize(case.voxels(), shape))


SHAPE_MISMATCH = table(
    "SHAPE_MISMATCH",
    one_slice_more=shaped(14, 12, 11),
    one_slice_less=shaped(14, 12, 9),
    axes_swapped=shaped(12, 14, 10),
    half_the_size=shaped(7, 6, 5),
    one_voxel=shaped(1, 1, 1),
    another_reference=shaped(14, 12, 11, channel=REFERENCE),
)


def placed(change, **how):
    """The channel with another affine."""

    def apply(case: SyntheticCase) -> None:
        affine = AFFINE.copy()
        change(affine)
        case.store(affine=affine, **how)

    return apply


def shift(millimetres: float, axis: int = 0):
    return placed(lambda affine: affine.__setitem__((axis, 3), affine[axis, 3] + millimetres))


def turned(angle: float):
    def change(affine: np.ndarray) -> None:
        cosine, sine = np.cos(angle), np.sin(angle)
        affine[:3, :3] = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]) @ affine[:3, :3]

    return placed(change)


def mirrored(axis: int):
    """The opposite direction over the same extent."""

    def change(affine: np.ndarray) -> None:
        affine[:3, 3] += affine[:3, axis] * (voxels("t1n").shape[axis] - 1)
        affine[:3, axis] *= -1

    return placed(change)


def scaled(factor: float):
    return placed(lambda affine: affine.__setitem__((slice(3), 2), affine[:3, 2] * factor))


AFFINE_MISMATCH = table(
    "AFFINE_MISMATCH",
    shifted_far=shift(50),
    shifted_a_voxel=shift(1, axis=2),
    shifted_a_hundredth=shift(0.01),
    shifted_back=shift(-0.5, axis=1),
    mirrored_left_to_right=mirrored(0),
    mirrored_head_to_foot=mirrored(2),
    direction_turned_round=placed(lambda affine: affine.__setitem__((0, 0), 1)),
    another_spacing=scaled(2),
    another_spacing_by_a_hundredth=scaled(1.01),
    turned=turned(0.1),
    turned_a_little=turned(0.01),
    axes_exchanged=placed(lambda affine: affine.__setitem__(slice(2), affine[[1, 0]])),
    without_any_form=lambda case: case.store(fields={"sform_code": 0, "qform_code": 0}),
    another_qform_alone=lambda case: case.store(fields={"sform_code": 0, "qoffset_x": 7}),
    another_sform=lambda case: case.store(fields={"srow_x": [-1, 0, 0, 3]}),
)

CHANNEL_FAULTS: list[Fault] = [*NONFINITE, *SHAPE_MISMATCH, *AFFINE_MISMATCH]
