"""Faults of images, of whole data sets, and of settings."""

from __future__ import annotations

import shutil

import numpy as np

from ...faults.make_case import CHANNELS
from .labelled import BAD, COUNT, Damaged, DataFault, labels, make_labelled, name_of

FILE = f"{name_of(BAD)}-t1n.nii.gz"
NAN = float("nan")


def row(code: str, name: str, apply, names: str = FILE, **more) -> DataFault:
    return DataFault(name, code, apply, names, **more)


def filled(value: float, dtype: str = "i2"):
    return lambda at: at.case().store(image=np.full(at.case().voxels().shape, value, dtype))


def with_nan(at: Damaged) -> None:
    image_xyz = at.case().voxels().astype("f4")
    image_xyz[3, 4, :3] = NAN
    at.case().store(image=image_xyz)


def linked_channel(at: Damaged) -> None:
    at.case().file().unlink()
    at.case().file().symlink_to(at.case().file("t2w"))


def reoriented(at: Damaged) -> None:
    """The whole case with axes in other directions than the challenge's."""
    at.case().store_all(affine=np.eye(4))
    at.label().store(affine=np.eye(4))


def image_of_another_case_as_label(at: Damaged) -> None:
    at.copy(at.case(0).file("t2w"), at.label().file())


def other_mask_as_channel(at: Damaged) -> None:
    at.case().store(image=labels(50).astype("i2"))


def copied_case(at: Damaged) -> None:
    """The same case as one of another patient."""
    for channel in (*CHANNELS, "seg"):
        at.copy(at.case(0).file(channel), at.case().file(channel))


def same_labels_everywhere(at: Damaged) -> None:
    for number in range(COUNT):
        at.label(number).store(image=labels(0))


def labels_everywhere(change):
    def apply(at: Damaged) -> None:
        for number in range(COUNT):
            at.label(number).store(image=change(labels(number)).astype("u1"))

    return apply


def enhancing_in_one_patient(at: Damaged) -> None:
    for number in range(1, COUNT):
        at.label(number).store(image=np.where(labels(number) == 3, 1, labels(number)).astype("u1"))


def only(count: int):
    def apply(at: Damaged) -> None:
        for number in range(count, COUNT):
            shutil.rmtree(at.data / name_of(number))

    return apply


def scans_of_one_patient(at: Damaged) -> None:
    """A single patient with several scans is too few, however many scans there are."""
    only(0)(at)
    for scan in range(3):
        make_labelled(at.data / name_of(0, scan), 10 + scan)


def thick_slices(at: Damaged) -> None:
    affine = np.diag([-1.0, -1.0, 10.0, 1.0])
    at.case().store_all(affine=affine)
    at.label().store(affine=affine)


def unchanged(_: Damaged) -> None:
    """Only the setting is wrong."""


def without_second_channel(at: Damaged) -> None:
    at.case().file("t2f").unlink()


IMAGES = [
    row("CONSTANT", "image_of_zeros", filled(0), hint="all voxels are 0"),
    row("CONSTANT", "image_of_one_value", filled(7), hint="all voxels are 7"),
    row("NONFINITE", "every_voxel_nan", filled(NAN, "f4")),
    row("SAME_CHANNEL", "copied_channel", lambda at: at.copy(at.case().file("t1c"), at.case().file())),
    row("SAME_CHANNEL", "link_to_another_channel", linked_channel, f"{name_of(BAD)}-t2w.nii.gz"),
    row(
        "SAME_CHANNEL",
        "copied_channel_of_another_type",
        lambda at: at.case().store(image=at.case().voxels("t1c").astype("f8")),
    ),
    row("LABEL_AS_IMAGE", "label_map_as_channel", lambda at: at.copy(at.label().file(), at.case().file())),
    row(
        "IMAGE_AS_LABEL",
        "channel_as_label_map",
        lambda at: at.copy(at.case().file(), at.label().file()),
        f"{name_of(BAD)}-seg.nii.gz",
    ),
    row(
        "IMAGE_AS_LABEL",
        "image_of_another_case_as_label_map",
        image_of_another_case_as_label,
        f"{name_of(BAD)}-seg.nii.gz",
    ),
    row("MISSING_MODALITY", "channel_missing", without_second_channel, name_of(BAD), hint="t2f"),
    row("DUPLICATE", "channel_twice", lambda at: at.copy(at.case().file(), at.data / FILE)),
]

IMAGE_NOTICES = [
    row("NONFINITE", "some_voxels_nan", with_nan, hint="3 voxels are not finite"),
    row("RANGE", "past_16_bits", lambda at: at.case().store(image=at.case().voxels().astype("i4") * 1000)),
    row("FLIPPED", "axes_of_another_orientation", reoriented, f"{name_of(BAD)}-t1c.nii.gz", hint="RAS"),
    row(
        "QFORM_SFORM", "transforms_differ", lambda at: at.case().store(fields={"qoffset_x": 5}), hint="differ"
    ),
    row("LABEL_AS_IMAGE", "another_mask_as_channel", other_mask_as_channel),
    row("SPACING_OUTLIER", "thick_slices", thick_slices, f"{name_of(BAD)}-t1c.nii.gz", hint="1 x 1 x 10 mm"),
]

SETS = [
    row("SAME_IMAGE", "case_of_two_patients", copied_case, f"{name_of(BAD)}-t1c.nii.gz", hint=name_of(0)),
    row(
        "SAME_IMAGE",
        "channel_of_another_case",
        lambda at: at.copy(at.case(4).file("t2w"), at.case(BAD).file("t2w")),
        f"{name_of(4)}-t2w.nii.gz",
        hint=name_of(BAD),
    ),
    row(
        "SAME_LABELS",
        "label_of_another_case",
        lambda at: at.copy(at.label(4).file(), at.label().file()),
        f"{name_of(4)}-seg.nii.gz",
        hint=name_of(BAD),
    ),
    row(
        "SAME_LABELS", "one_label_map_for_all", same_labels_everywhere, "-seg.nii.gz", hint="all 6 label maps"
    ),
    row(
        "LABEL_ABSENT",
        "no_label_anywhere",
        labels_everywhere(lambda x: x * 0),
        "data",
        hint="1 NCR, 2 ED, 3 ET",
    ),
    row("FEW_CASES", "one_patient", scans_of_one_patient, "data", hint="1 patient"),
    row("IGNORE_LABEL", "ignore_label_is_a_label", unchanged, "data", hint="2, which is ED", ignore=2),
]

SET_NOTICES = [
    row(
        "LABEL_ABSENT",
        "label_never_occurs",
        labels_everywhere(lambda x: np.minimum(x, 2)),
        "data",
        hint="3 ET",
    ),
    row("LABEL_RARE", "label_of_one_patient", enhancing_in_one_patient, "data", hint="BraTS-GLI-00000"),
    row("FEW_CASES", "three_patients", only(3), "data", hint="3 patients"),
]

DATA_FAULTS = [
    *IMAGES,
    *SETS,
    *(DataFault(**(vars(notice) | {"is_error": False})) for notice in (*IMAGE_NOTICES, *SET_NOTICES)),
]
