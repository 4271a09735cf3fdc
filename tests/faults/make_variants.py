"""Unusual but valid cases: the same voxels, and the notice that each gets, if any."""

from __future__ import annotations

import gzip
import shutil
from itertools import pairwise

import nibabel as nib
import numpy as np

from ..formats.nifti.conftest import AFFINE
from .make_case import CHANNELS, Fault, SyntheticCase, table

NAN, INF = float("nan"), float("inf")
OBLIQUE = np.array([[-0.8, 0.6, 0, 1], [-0.6, -0.8, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]])
NOISE = np.random.default_rng(0).uniform(-1e-3, 1e-3, (3, 4)) * 0.99


def typed(dtype: str, **how):
    """Every channel with another data type and the same values."""
    return lambda case: [case.store(c, image=case.voxels(c).astype(dtype), **how) for c in CHANNELS]


def stored(numbers, **how):
    """Every channel transformed by `numbers`, which slope and intercept undo."""
    return lambda case: [case.store(c, image=numbers(case.voxels(c).astype("i4")), **how) for c in CHANNELS]


def headed(**fields):
    return lambda case: case.store_all(fields=fields)


def shaped(*more: int):
    """Every channel with further axes of size 1."""
    return lambda case: [case.store(c, image=case.voxels(c).reshape(14, 12, 10, *more)) for c in CHANNELS]


def repacked(pack):
    return lambda case: [case.put(pack(case.plain(c)), c) for c in CHANNELS]


def members(*cuts: int):
    def pack(plain: bytes) -> bytes:
        edges = [0, *cuts, len(plain)]
        return b"".join(gzip.compress(plain[a:b]) for a, b in pairwise(edges))

    return pack


def noisy(case: SyntheticCase) -> None:
    affine = AFFINE.copy()
    affine[:3] += NOISE
    case.store(affine=affine)


def moved(millimetres: float):
    def apply(case: SyntheticCase) -> None:
        affine = AFFINE.copy()
        affine[:3, 3] += millimetres
        case.store(affine=affine)

    return apply


def linked(case: SyntheticCase) -> None:
    """Replace every channel by a link to a file of another name outside the data folder."""
    away = case.folder.parents[1] / f"store {case.name}"
    away.mkdir()
    for number, channel in enumerate(CHANNELS):
        shutil.move(case.file(channel), away / f"{number}.bin")
        case.file(channel).symlink_to(away / f"{number}.bin")


def renamed(name: str):
    """Rename the case folder; the names of its files still name the case."""
    return lambda case: case.folder.rename(case.folder.parent / name)


def flat(case: SyntheticCase) -> None:
    for channel in CHANNELS:
        case.file(channel).rename(case.folder.parent / case.file(channel).name)
    case.folder.rmdir()


def littered(case: SyntheticCase) -> None:
    for channel in CHANNELS:
        (case.folder / f"._{case.file(channel).name}").write_bytes(b"\0\5\x16\7")
    for name in (".DS_Store", "Thumbs.db", "notes.txt", f"{case.name}-t1n.json", "desktop.ini"):
        (case.folder / name).write_bytes(b"x")
    (case.folder / "more").mkdir()
    case.file("seg").write_bytes(b"not read")


def extended(case: SyntheticCase) -> None:
    """A header extension of 32 bytes before the voxels."""
    for channel in CHANNELS:
        plain = case.plain(channel, fields={"vox_offset": 352 + 32})
        block = b"\1\0\0\0" + b"\x20\0\0\0\6\0\0\0" + b"note of some tool".ljust(24)
        case.put(gzip.compress(plain[:348] + block + plain[352:]), channel)


def background(value: float, dtype: str = "f4"):
    """Set a few voxels of the background to NaN or infinity."""

    def apply(case: SyntheticCase) -> None:
        image_xyz = case.voxels().astype(dtype)
        image_xyz[0, 0, :3] = value
        case.store(image=image_xyz)

    return apply


WITHOUT_NOTICE = table(
    "",
    plain_files=lambda case: [case.store(c, ".nii") for c in CHANNELS],
    one_plain_file=lambda case: case.store("t2f", ".nii"),
    big_endian=lambda case: case.store_all(order=">"),
    big_endian_plain=lambda case: [case.store(c, ".nii", order=">") for c in CHANNELS],
    nifti2=lambda case: case.store_all(kind=nib.Nifti2Header),
    nifti2_big_endian=lambda case: case.store_all(kind=nib.Nifti2Header, order=">"),
    float32=typed("f4"),
    float64=typed("f8"),
    float64_big_endian=typed("f8", order=">"),
    uint16=typed("u2"),
    int32=typed("i4"),
    uint32_big_endian=typed("u4", order=">"),
    int64=typed("i8"),
    uint64=typed("u8"),
    types_mixed=lambda case: (typed("f8")(case), case.store("t2w", order=">")),
    slope_and_intercept=stored(lambda n: n * 2 - 6, fields={"scl_slope": 0.5, "scl_inter": 3}),
    slope_negative=stored(lambda n: -n, fields={"scl_slope": -1}),
    intercept_alone=stored(lambda n: n + 5, fields={"scl_slope": 1, "scl_inter": -5}),
    slope_in_big_endian=stored(lambda n: n * 4, order=">", fields={"scl_slope": 0.25}),
    slope_zero=headed(scl_slope=0),
    slope_zero_with_intercept=headed(scl_slope=0, scl_inter=7),
    slope_nan=headed(scl_slope=NAN, scl_inter=NAN),
    slope_infinite=headed(scl_slope=INF),
    slope_nan_big_endian=lambda case: case.store_all(order=">", fields={"scl_slope": NAN}),
    fourth_axis_of_one=shaped(1),
    seven_axes_four_of_one=shaped(1, 1, 1, 1),
    sizes_past_the_axes=headed(dim=[3, 14, 12, 10, 0, -1, 99, 0]),
    only_qform=headed(sform_code=0),
    only_sform=headed(qform_code=0),
    only_sform_and_a_broken_qform=headed(qform_code=0, quatern_b=NAN),
    oblique=lambda case: case.store_all(affine=OBLIQUE),
    oblique_only_qform=lambda case: case.store_all(affine=OBLIQUE, fields={"sform_code": 0}),
    codes_of_template_spaces=headed(sform_code=4, qform_code=4),
    extension=extended,
    offset_with_a_gap=lambda case: [
        case.put(gzip.compress(p[:352] + b"\0" * 160 + p[352:]), c)
        for c in CHANNELS
        for p in [case.plain(c, fields={"vox_offset": 512})]
    ],
    other_fields_odd=headed(cal_max=NAN, intent_code=1001, slice_code=99, toffset=INF, xyzt_units=0),
    two_members=repacked(members(900)),
    members_that_cut_the_header=repacked(members(100, 340, 349, 351)),
    many_members=repacked(members(*range(64, 3000, 64))),
    members_of_nothing=repacked(
        lambda plain: gzip.compress(b"") + gzip.compress(plain) + gzip.compress(b"") * 3
    ),
    padded_with_zeros=repacked(lambda plain: gzip.compress(plain) + b"\0" * 700),
    stored_without_deflating=repacked(lambda plain: gzip.compress(plain, 0)),
    named_inside=repacked(
        lambda plain: b"\x1f\x8b\x08\x08" + b"\0" * 6 + b"a.nii\0" + gzip.compress(plain)[10:]
    ),
    noise_of_an_affine=noisy,
    a_thousandth_of_a_millimetre=moved(1e-3),
    links_out_of_the_folder=linked,
    litter_beside_it=littered,
    flat=flat,
    folder_of_another_name=renamed("patient 7"),
    folder_with_quotes=renamed('it\'s "this" one'),
    folder_in_greek=renamed("ασθενής ééé"),
    folder_in_chinese=renamed("病人一"),
    folder_of_emoji_and_markup=renamed("[red]:brain: 🧠"),
    folder_with_a_newline=renamed("first\nsecond"),
    folder_with_terminal_commands=renamed("\x1b[2J\x07clear"),
    folder_with_a_dash=renamed("-rf"),
    folder_with_a_percent_escape=renamed("a..%2f..%2fetc"),
    folder_with_shell_words=renamed("$(touch x); `y` && z"),
    folder_of_a_long_name=renamed("n" * 255),
    folder_of_bytes_that_are_no_text=renamed("caf\udce9"),
)

WITH_NOTICE = [
    Fault("nan_in_the_background", "NONFINITE", background(NAN)),
    Fault("infinity_in_the_background", "NONFINITE", background(-INF)),
    Fault("past_float32_in_the_background", "NONFINITE", background(1e300, "f8")),
    Fault("qform_elsewhere", "QFORM_SFORM", headed(qoffset_x=9)),
    Fault("qform_broken", "QFORM_SFORM", headed(quatern_b=NAN)),
    Fault("spacing_of_another_sform", "QFORM_SFORM", headed(qform_code=0, pixdim=[1, 2, 2, 2, 1, 1, 1, 1])),
    Fault("no_form", "NO_FORM", headed(sform_code=0, qform_code=0)),
    Fault("small_shear", "NOT_ORTHONORMAL", headed(qform_code=0, srow_x=[-1, 0.02, 0, 0])),
    Fault("left_and_right_exchanged", "FLIPPED", lambda case: case.store_all(affine=np.eye(4))),
]

VARIANTS: list[Fault] = [*WITHOUT_NOTICE, *WITH_NOTICE]
