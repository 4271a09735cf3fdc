"""Faults of label maps: files, grids, values."""

from __future__ import annotations

import numpy as np

from ...formats.nifti.conftest import AFFINE
from .labelled import BAD, Damaged, DataFault, labels, name_of

LABEL = f"{name_of(BAD)}-seg.nii.gz"
NAN = float("nan")


def stored(change=lambda labels_xyz: labels_xyz, dtype: str = "u1", **how):
    """Store the label map changed; how: as for `encode`."""
    return lambda at: at.label().store(image=change(at.label().voxels()).astype(dtype), **how)


def placed(*edits: tuple[int, int, float]):
    """Store the label map with other numbers in its affine."""
    affine = AFFINE.copy()
    for row, column, value in edits:
        affine[row, column] = value
    return stored(affine=affine)


def with_voxel(value: float, dtype: str):
    def change(labels_xyz: np.ndarray) -> np.ndarray:
        changed_xyz = labels_xyz.astype(np.float64)
        changed_xyz[3, 4, 3] = value
        return changed_xyz

    return stored(change, dtype)


def in_corner(labels_xyz: np.ndarray) -> np.ndarray:
    """The labels where every channel is 0."""
    moved_xyz = np.zeros_like(labels_xyz)
    moved_xyz[0, :4, :4] = labels_xyz[2:6, 3:7, 3]
    return moved_xyz


def flipped_beside_half_an_image(at: Damaged) -> None:
    """Images in one half of the volume, and the label map mirrored to the other half."""
    for channel in ("t1c", "t1n", "t2f", "t2w"):
        image_xyz = at.case().voxels(channel).copy()
        image_xyz[7:] = 0
        at.case().store(channel, image=image_xyz)
    stored(lambda labels_xyz: labels_xyz[::-1])(at)


def one_outside(labels_xyz: np.ndarray) -> np.ndarray:
    changed_xyz = labels_xyz.copy()
    changed_xyz[0, 0, 0] = 1
    return changed_xyz


def smoothed(labels_xyz: np.ndarray) -> np.ndarray:
    return (labels_xyz + np.roll(labels_xyz.astype(float), 1, 0)) / 2 + (labels_xyz > 0)


def dangling(at: Damaged) -> None:
    at.label().file().unlink()
    at.label().file().symlink_to("nowhere")


def looped(at: Damaged) -> None:
    at.label().file().unlink()
    at.label().file().symlink_to(LABEL)


def renamed(name: str):
    return lambda at: at.label().file().rename(at.label().folder / name)


def row(code: str, name: str, apply, names: str = LABEL, **more) -> DataFault:
    return DataFault(name, code, apply, names, **more)


FILES = [
    row("LABEL_MISSING", "no_label", lambda at: at.label().file().unlink(), name_of(BAD)),
    row("LABEL_MISSING", "label_is_a_dangling_link", dangling),
    row("LABEL_MISSING", "label_is_a_link_to_itself", looped),
    row("LABEL_MISSING", "label_ending_in_capitals", renamed(f"{name_of(BAD)}-seg.NII.GZ"), name_of(BAD)),
    row("LABEL_MISSING", "label_is_hidden", renamed(f".{LABEL}"), name_of(BAD)),
    row("LABEL_DUPLICATE", "plain_beside_packed", lambda at: at.label().store(ending=".nii") or stored()(at)),
    row(
        "LABEL_DUPLICATE",
        "named_by_the_case_as_well",
        lambda at: at.copy(at.label().file(), at.data / f"{name_of(BAD)}.nii.gz"),
    ),
    row(
        "LABEL_ORPHAN",
        "label_of_no_case",
        lambda at: at.copy(at.label().file(), at.data / f"{name_of(77)}-seg.nii.gz"),
        f"{name_of(77)}-seg.nii.gz",
    ),
]

AXES = [
    row(
        "LABEL_AXES",
        "one_hot_in_a_fourth_axis",
        stored(lambda labels_xyz: np.stack([labels_xyz == value for value in range(4)], -1)),
        hint="one-hot",
    ),
    row("LABEL_AXES", "probabilities_in_a_fifth_axis", stored(lambda x: np.stack([x, x], -1)[..., None, :])),
    row("LABEL_AXES", "single_slice", stored(lambda labels_xyz: labels_xyz[..., 3])),
    row("LABEL_AXES", "rows", stored(np.ravel)),
]

GRIDS = [
    row("LABEL_SHAPE", "one_slice_less", stored(lambda labels_xyz: labels_xyz[..., 1:])),
    row("LABEL_SHAPE", "axes_z_y_x", stored(np.transpose), hint="transpose"),
    row(
        "LABEL_SHAPE",
        "half_the_resolution",
        stored(lambda x: x[::2, ::2, ::2], affine=AFFINE @ np.diag([2, 2, 2, 1])),
        hint="resample",
    ),
    row("LABEL_SHAPE", "padded", stored(lambda labels_xyz: np.pad(labels_xyz, 1))),
    row("LABEL_GRID", "origin_off_by_40_mm", placed((1, 3, 40.0)), hint="copy the affine"),
    row("LABEL_GRID", "origin_off_by_a_voxel", placed((2, 3, 1.0))),
    row("LABEL_GRID", "another_spacing", placed((2, 2, 1.2))),
    row("LABEL_GRID", "slightly_rotated", placed((0, 1, 0.05), (1, 0, -0.05))),
    row("LABEL_FLIPPED", "affine_is_the_identity", stored(affine=np.eye(4)), hint="axes run to RAS"),
    row("LABEL_FLIPPED", "one_axis_reversed", placed((0, 0, 1.0), (0, 3, -13.0)), hint="reorientation"),
    row("LABEL_FLIPPED", "no_transform_at_all", stored(fields={"sform_code": 0, "qform_code": 0})),
]

VALUES = [
    row("LABEL_NONFINITE", "one_voxel_nan", with_voxel(NAN, "f4"), hint="1 voxels are not finite"),
    row("LABEL_NONFINITE", "one_voxel_infinite", with_voxel(float("inf"), "f4")),
    row("LABEL_NONFINITE", "every_voxel_nan", stored(lambda labels_xyz: labels_xyz * NAN, "f4")),
    row("LABEL_FRACTIONS", "probabilities", stored(lambda x: x / 4, "f4"), hint="probabilities"),
    row("LABEL_FRACTIONS", "interpolated", stored(smoothed, "f4"), hint="interpolated"),
    row("LABEL_FRACTIONS", "one_half", with_voxel(0.5, "f8"), hint="in 1 of 1680 voxels"),
    row("LABEL_FRACTIONS", "scaled_to_fractions", stored(fields={"scl_slope": 0.3}), hint="scales"),
    row("LABEL_NEGATIVE", "minus_one", with_voxel(-1, "i1"), hint="down to -1"),
    row("LABEL_NEGATIVE", "hounsfield_units", stored(lambda x: x.astype(int) * 500 - 1000, "i2")),
    row(
        "LABEL_VALUE",
        "four_of_an_earlier_edition",
        stored(lambda x: np.where(x == 3, 4, x)),
        hint="brats2021",
    ),
    row("LABEL_VALUE", "mask_of_255", stored(lambda labels_xyz: (labels_xyz > 0) * 255), hint="0 background"),
    row("LABEL_VALUE", "number_of_the_next_label", with_voxel(7, "u1"), hint="value 7 in 1 voxel"),
    row("LABEL_VALUE", "past_16_bits", with_voxel(70_000, "u4")),
    row("LABEL_VALUE", "past_16_bits_signed", with_voxel(100_000, "i4")),
    row("LABEL_VALUE", "shifted_by_the_intercept", stored(fields={"scl_slope": 1, "scl_inter": 1})),
    row("LABEL_VALUE", "many_parcels", stored(lambda x: np.where(x > 0, x + 10 * (x % 3), 0))),
    row("LABEL_IGNORED", "every_voxel_ignored", stored(lambda x: x * 0 + 9), ignore=9),
    row("LABEL_OUTSIDE", "labels_outside_of_the_image", stored(in_corner), hint="alignment"),
    row("LABEL_OUTSIDE", "flipped_voxels", flipped_beside_half_an_image, hint="flipped along x"),
]

NOTICES = [
    row("LABEL_SCALED", "scaled_to_whole_numbers", stored(lambda x: x * 2, fields={"scl_slope": 0.5})),
    row("LABEL_TYPE", "stored_as_floats", stored(dtype="f8")),
    row("LABEL_EMPTY", "all_background", stored(lambda labels_xyz: labels_xyz * 0)),
    row("LABEL_MOST", "background_swapped", stored(lambda x: np.where(x == 0, 2, 0))),
    row("LABEL_OUTSIDE", "one_voxel_outside", stored(one_outside), hint="1 labelled voxel of 145"),
]

LABEL_FAULTS = [
    *FILES,
    *AXES,
    *GRIDS,
    *VALUES,
    *(DataFault(**(vars(notice) | {"is_error": False})) for notice in NOTICES),
]
assert labels(0).max() == 3
