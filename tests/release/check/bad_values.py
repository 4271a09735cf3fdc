"""Faults in voxel values of label maps."""

from __future__ import annotations

import shutil

import numpy as np

from .label_maps import BAD, NAMES, fault, labels_like, reference, rewrite, write_map, write_valid_maps


@fault("FLOAT_TYPE")
def labels_are_stored_as_float(at):
    rewrite(at, lambda labels_xyz: labels_xyz.astype(np.float32))


@fault("WIDE_TYPE")
def labels_are_stored_in_eight_bytes(at):
    rewrite(at, lambda labels_xyz: labels_xyz.astype(np.int64))


@fault("SCALED")
def the_slope_is_not_one(at):
    rewrite(at, scl_slope=2)


@fault("SCALED")
def the_intercept_of_the_image_was_kept(at):
    rewrite(at, scl_inter=-1024)


@fault("NONFINITE")
def a_voxel_is_nan(at):
    def change(labels_xyz):
        labels_xyz = labels_xyz.astype(np.float32)
        labels_xyz[0, 0, 0] = np.nan
        return labels_xyz

    rewrite(at, change)


@fault("FRACTIONS")
def probabilities_instead_of_labels(at):
    rewrite(at, lambda labels_xyz: labels_xyz.astype(np.float32) * 0.3)


@fault("FRACTIONS")
def labels_were_resampled_linearly(at):
    rewrite(at, lambda labels_xyz: (labels_xyz + np.roll(labels_xyz, 1, 0)) / np.float32(2))


@fault("LABELS")
def label_4_where_3_is_et(at):
    rewrite(at, lambda labels_xyz: np.where(labels_xyz == 3, np.uint8(4), labels_xyz))


@fault("LABELS")
def a_label_is_below_zero(at):
    rewrite(at, lambda labels_xyz: -labels_xyz.astype(np.int8))


@fault("LABELS")
def a_mask_has_the_value_255(at):
    rewrite(at, lambda labels_xyz: np.uint8(255) * (labels_xyz > 0))


@fault("LABELS")
def an_image_instead_of_its_map(at):
    shutil.copy(at.data / BAD / f"{BAD}-t1c.nii.gz", at.bad)


@fault("COPY", f"{NAMES[1]}.nii.gz")
def the_voxels_of_another_case(at):
    image = reference(at.data, NAMES[1])
    write_map(at.maps / f"{NAMES[1]}.nii.gz", labels_like(image, 0), image)


@fault("COPY", f"{NAMES[2]}.nii.gz")
def the_voxels_of_another_case_in_another_type(at):
    image = reference(at.data, NAMES[2])
    write_map(at.maps / f"{NAMES[2]}.nii.gz", labels_like(image, 0).astype(np.int16), image)


@fault("EMPTY_MAP")
def a_map_has_only_background(at):
    rewrite(at, np.zeros_like)


@fault("MOSTLY_LABELLED")
def background_and_label_are_swapped(at):
    rewrite(at, lambda labels_xyz: (labels_xyz == 0).astype(np.uint8))


@fault("OUTSIDE_IMAGE")
def the_labels_are_outside_the_patient(at):
    rewrite(at, lambda labels_xyz: np.roll(labels_xyz, 8, (0, 1, 2)) * (at.image.dataobj[...] == 0))


@fault("ABSENT_LABEL", "")
def no_map_has_enhancing_tumour(at):
    write_valid_maps(at.maps, at.data, values=(1, 2))
