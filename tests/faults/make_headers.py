"""Invalid headers in every variant of NIfTI."""

from __future__ import annotations

import nibabel as nib

from .make_case import Fault, SyntheticCase, table

NAN, INF = float("nan"), float("inf")
NO_SFORM = {"sform_code": 0}


def header(**fields):
    """Set fields of the channel's header."""
    return lambda case: case.store(fields=fields)


def sizes(*dim: int):
    return header(dim=[*dim, *[1] * (8 - len(dim))])


def nifti2(**fields):
    return lambda case: case.store(fields=fields, kind=nib.Nifti2Header)


def kind(datatype: int, bits: int):
    return header(datatype=datatype, bitpix=bits)


def spacing(*pixdim: float):
    return header(pixdim=[1, *pixdim, 1, 1, 1, 1])


def forms(qform: bool = False, **fields):
    return header(**fields, **(NO_SFORM if qform else {}))


def plain_big_endian(**fields):
    return lambda case: case.store(ending=".nii", fields=fields, order=">")


def bad_reference(case: SyntheticCase) -> None:
    case.store("t1c", fields={"dim": [3, 14, -12, 10, 1, 1, 1, 1]})


BAD_HEADER = table(
    "BAD_HEADER",
    size_zero=sizes(3, 14, 0, 10),
    size_negative=sizes(3, -14, 12, 10),
    size_most_negative=sizes(3, 14, 12, -32768),
    no_axes=sizes(0, 14, 12, 10),
    eight_axes=sizes(8, 14, 12, 10),
    many_axes=sizes(300, 14, 12, 10),
    negative_axes=sizes(-3, 14, 12, 10),
    fourth_size_zero=sizes(4, 14, 12, 10, 0),
    offset_nan=header(vox_offset=NAN),
    offset_infinite=header(vox_offset=INF),
    offset_negative=header(vox_offset=-352),
    offset_zero=header(vox_offset=0),
    offset_in_the_header=header(vox_offset=200),
    offset_in_the_extender=header(vox_offset=348),
    offset_between_bytes=header(vox_offset=352.5),
    offset_past_the_end=header(vox_offset=100_000),
    offset_huge=header(vox_offset=3e38),
    offset_nan_big_endian=plain_big_endian(vox_offset=NAN),
    bits_of_another_type=header(bitpix=8),
    bits_zero=header(bitpix=0),
    intercept_nan=header(scl_slope=2, scl_inter=NAN),
    intercept_infinite=header(scl_slope=2, scl_inter=INF),
    nifti2_size_negative=nifti2(dim=[3, 14, -12, 10, 1, 1, 1, 1]),
    nifti2_offset_negative=nifti2(vox_offset=-1),
    nifti2_offset_huge=nifti2(vox_offset=2**62),
    nifti2_offset_of_nifti1=nifti2(vox_offset=352),
    sizes_of_the_reference=bad_reference,
)

NDIM = table(
    "NDIM",
    one_axis=sizes(1, 1680),
    two_axes=sizes(2, 140, 12),
    four_axes=sizes(4, 7, 12, 10, 2),
    five_axes=sizes(5, 7, 12, 10, 1, 2),
    seven_axes=sizes(7, 14, 12, 5, 1, 1, 1, 2),
    nifti2_four_axes=nifti2(dim=[4, 7, 12, 10, 2, 1, 1, 1]),
)

TOO_LARGE = table(
    "TOO_LARGE",
    voxels_past_counting=sizes(3, 32767, 32767, 32767),
    voxels_just_too_many=sizes(3, 1024, 1024, 257),
    declares_less_than_it_holds=sizes(3, 14, 12, 9),
    nifti2_voxels_past_counting=nifti2(dim=[3, 2**40, 2**40, 2**40, 1, 1, 1, 1]),
    nifti2_axis_past_a_label_map=nifti2(dim=[3, 40_000, 1, 1, 1, 1, 1, 1]),
)

TRUNCATED = table(
    "TRUNCATED",
    declares_more_than_it_holds=sizes(3, 14, 12, 11),
    declares_a_gigabyte=sizes(3, 1024, 1024, 256),
)

BAD_DTYPE = table(
    "BAD_DTYPE",
    rgb=kind(128, 24),
    rgba=kind(2304, 32),
    complex64=kind(32, 64),
    complex128=kind(1792, 128),
    complex256=kind(2048, 256),
    float128=kind(1536, 128),
    single_bits=kind(1, 1),
    type_zero=kind(0, 16),
    type_negative=kind(-4, 16),
    type_unknown=kind(777, 16),
    rgb_big_endian=plain_big_endian(datatype=128, bitpix=24),
    nifti2_complex=nifti2(datatype=32, bitpix=64),
)

BAD_SPACING = table(
    "BAD_SPACING",
    spacing_zero=spacing(0, 1, 1),
    spacing_all_zero=spacing(0, 0, 0),
    spacing_negative=spacing(1, -1, 1),
    spacing_nan=spacing(1, 1, NAN),
    spacing_infinite=spacing(INF, 1, 1),
    spacing_huge=spacing(1e30, 1, 1),
    spacing_tiny=spacing(1, 1e-30, 1),
    spacing_zero_big_endian=plain_big_endian(pixdim=[1, 0, 1, 1, 1, 1, 1, 1]),
    nifti2_spacing_nan=nifti2(pixdim=[1, NAN, 1, 1, 1, 1, 1, 1]),
)

BAD_AFFINE = table(
    "BAD_AFFINE",
    sform_nan=forms(srow_x=NAN),
    sform_infinite=forms(srow_y=[0, INF, 0, 0]),
    sform_origin_nan=forms(srow_z=[0, 0, 1, NAN]),
    sform_row_zero=forms(srow_x=0),
    sform_all_zero=forms(srow_x=0, srow_y=0, srow_z=0),
    sform_rows_alike=forms(srow_x=[0, -1, 0, 0]),
    sform_almost_flat=forms(srow_x=[1, 1, 0, 0], srow_y=[1, 1 + 1e-7, 0, 0]),
    sform_huge=forms(srow_z=[0, 0, 1e30, 0]),
    qform_nan=forms(qform=True, quatern_b=NAN),
    qform_longer_than_one=forms(qform=True, quatern_b=0.9, quatern_c=0.9, quatern_d=0.9),
    qform_origin_infinite=forms(qform=True, qoffset_x=INF),
    nifti2_sform_past_float32=nifti2(srow_x=[1e300, 0, 0, 0]),
)

HEADERS: list[Fault] = [
    *BAD_HEADER,
    *NDIM,
    *TOO_LARGE,
    *TRUNCATED,
    *BAD_DTYPE,
    *BAD_SPACING,
    *BAD_AFFINE,
    Fault("nifti2_sent_as_text", "NOT_NIFTI", nifti2(eol_check=[10, 26, 10, 0])),
]
