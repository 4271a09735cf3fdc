"""Compare the images of a case with each other and with its label map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

import numpy as np

from segcube.core import Code, Volume, count_of
from segcube.spec.challenges import BACKGROUND
from segcube.training.cases.label_map import CheckedLabels, LabelValues
from segcube.training.cases.pairing import LabelledCase
from segcube.training.cases.problems import Problem, problem

MIN_ZERO_SHARE = 0.1
"""An image with fewer voxels of exactly 0 has no background of zeros outside the patient."""
MAX_OUTSIDE_SHARE = 0.5
"""Of the labelled voxels; with more of them where the image is 0, a label map belongs elsewhere."""
MAX_FLIPPED_SHARE = 0.1
"""Of the labelled voxels; with fewer of them outside, a flipped label map fits."""


def same_channel_problems(case: LabelledCase, digests: Mapping[str, str]) -> Iterator[Problem]:
    """Report channels with the voxels of an earlier one; digests: of the voxels of each channel."""
    first: dict[str, str] = {}
    for channel, digest in digests.items():
        other = first.setdefault(digest, channel)
        if other != channel:
            found = f"has the same voxels as {case.case.files[other].name}"
            expected, hint = f"the channel {channel}", "export the channel again"
            file = case.case.files[channel]
            yield problem(Code.SAME_CHANNEL, case.name, found, file=file, expected=expected, hint=hint)


def exchange_problems(
    case: LabelledCase, channels: Mapping[str, np.ndarray], labels: CheckedLabels, values: LabelValues
) -> Iterator[Problem]:
    """Report a label map in place of an image, and an image in place of the label map.

    channels: the voxels (X, Y, Z) of those that are not constant.
    """
    for channel, image_xyz in channels.items():
        file, labels_xyz = case.case.files[channel], labels.labels_xyz
        if labels_xyz is not None and np.array_equal(image_xyz, labels_xyz):
            if labels.counts.keys() <= values.known:
                found, hint = f"has the voxels of the label map {case.label.name}", "export the image"
                yield problem(Code.LABEL_AS_IMAGE, case.name, found, file=file, hint=hint)
            elif not any(known.code is Code.IMAGE_AS_LABEL for known in labels.problems):
                found, hint = f"has the voxels of {file.name}", "put the label map there"
                yield problem(Code.IMAGE_AS_LABEL, case.name, found, file=case.label, hint=hint)
        elif _has_only(image_xyz, values.known):
            found, hint = f"has only values of labels: {values.described()}", "export the image"
            yield problem(Code.LABEL_AS_IMAGE, case.name, found, file=file, hint=hint).as_notice()


def outside_problems(
    case: LabelledCase, volume: Volume, labels: CheckedLabels, values: LabelValues
) -> Iterator[Problem]:
    """Report labels where every channel is 0, for images with a background of zeros."""
    if labels.labels_xyz is None or labels.labels_xyz.shape != volume.grid.shape:
        return
    zero_xyz = np.logical_and.reduce([channel_xyz == 0 for channel_xyz in volume.voxels])
    if np.count_nonzero(zero_xyz) < MIN_ZERO_SHARE * zero_xyz.size:
        return
    labelled_xyz = labels.labels_xyz != values.challenge.labels[BACKGROUND]
    if values.ignore is not None:
        labelled_xyz &= labels.labels_xyz != values.ignore
    outside, labelled = np.count_nonzero(labelled_xyz & zero_xyz), np.count_nonzero(labelled_xyz)
    if outside == 0:
        return
    found = f"{count_of(outside, 'labelled voxel')} of {labelled} lie where every channel is 0"
    is_error = outside > MAX_OUTSIDE_SHARE * labelled
    hint = "check its alignment; segcube diagnose tests all label maps for flips and shifts"
    if is_error and (axes := _fitting_flip(labelled_xyz, zero_xyz)):
        hint = f"the label map seems to be flipped along {axes}"
    wrong = problem(Code.LABEL_OUTSIDE, case.name, found, file=case.label, hint=hint)
    yield wrong if is_error else wrong.as_notice()


def _has_only(image_xyz: np.ndarray, values: Iterable[int]) -> bool:
    known = list(values)
    # Most images exceed the labels, which is quick to see
    is_possible = min(known) <= image_xyz.min() and image_xyz.max() <= max(known)
    return bool(is_possible and np.isin(image_xyz, known).all())


def _fitting_flip(labelled_xyz: np.ndarray, zero_xyz: np.ndarray) -> str:
    """The axes whose flip moves the labels into the image; empty if none does."""
    most = MAX_FLIPPED_SHARE * np.count_nonzero(labelled_xyz)
    for count in (1, 2, 3):
        for axes in combinations(range(3), count):
            if np.count_nonzero(np.flip(labelled_xyz, axes) & zero_xyz) < most:
                return " and ".join("xyz"[axis] for axis in axes)
    return ""
