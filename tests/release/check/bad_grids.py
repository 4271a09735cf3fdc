"""Faults in grids and headers of label maps."""

from __future__ import annotations

import nibabel as nib
import numpy as np

from .label_maps import fault, labels_like, rewrite


@fault("NDIM")
def a_fourth_axis_of_one(at):
    rewrite(at, lambda labels_xyz: labels_xyz[..., None])


@fault("NDIM")
def a_fourth_axis_of_three(at):
    rewrite(at, lambda labels_xyz: np.stack([labels_xyz] * 3, -1))


@fault("NDIM")
def a_single_slice(at):
    rewrite(at, lambda labels_xyz: labels_xyz[..., 3])


@fault("SHAPE_MISMATCH")
def the_crop_was_not_undone(at):
    rewrite(at, lambda labels_xyz: labels_xyz[1:])


@fault("SHAPE_MISMATCH")
def the_axes_are_z_y_x(at):
    rewrite(at, lambda labels_xyz: labels_xyz.T)


@fault("SHAPE_MISMATCH")
def a_map_was_not_resampled_to_the_case(at):
    image = at.image
    half = nib.Nifti1Image(labels_like(image, 0)[::2, ::2, ::2], image.affine @ np.diag([2, 2, 2, 1]))
    nib.save(half, at.bad)


@fault("ORIENTATION")
def the_orientation_differs(at):
    image = at.image
    turned = nib.as_closest_canonical(nib.Nifti1Image(labels_like(image, 0), image.affine, image.header))
    nib.save(turned, at.bad)


@fault("AFFINE_MISMATCH")
def the_origin_is_off_by_40_mm(at):
    image = at.image
    rewrite(at, srow_y=image.header["srow_y"] + [0, 0, 0, 40], qoffset_y=image.affine[1, 3] + 40)


@fault("AFFINE_MISMATCH")
def the_affine_is_slightly_oblique(at):
    rewrite(at, srow_x=[-0.995, 0.0998, 0, 0], srow_y=[-0.0998, -0.995, 0, 0], qform_code=0)


@fault("ORIENTATION")
def the_affine_is_the_identity(at):
    nib.save(nib.Nifti1Image(labels_like(at.image, 0), np.eye(4)), at.bad)


@fault("BAD_AFFINE")
def the_affine_is_nan(at):
    rewrite(at, srow_x=[np.nan, 0, 0, 0])


@fault("BAD_SPACING")
def the_spacing_is_zero(at):
    rewrite(at, pixdim=[1, 0, 1, 1, 0, 0, 0, 0])


@fault("SPACING")
def the_spacing_differs_in_the_last_bit(at):
    rewrite(at, pixdim=[1, np.nextafter(np.float32(1), np.float32(2)), 1, 1, 0, 0, 0, 0])


@fault("NO_FORM")
def both_forms_are_lost(at):
    rewrite(at, sform_code=0, qform_code=0)


@fault("FORM_LOST")
def the_qform_is_lost(at):
    rewrite(at, qform_code=0)


@fault("QFORM_SFORM")
def the_qform_differs(at):
    rewrite(at, qoffset_y=40)


@fault("UNITS")
def the_unit_is_the_metre(at):
    rewrite(at, xyzt_units=1)


@fault("BIG_ENDIAN")
def a_map_is_big_endian(at):
    image = at.image
    header = image.header.as_byteswapped(">")
    nib.save(nib.Nifti1Image(labels_like(image, 0), image.affine, header), at.bad)


@fault("NIFTI2")
def a_map_is_nifti_2(at):
    image = at.image
    nib.save(
        nib.Nifti2Image(labels_like(image, 0), image.affine, nib.Nifti2Header.from_header(image.header)),
        at.bad,
    )
