"""Check one labelled case: read its images and its label map once, and report all problems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import numpy as np

from segcube.core import CaseError, Code, Grid, Volume, as_case_error
from segcube.formats.nifti import read_grid, read_volume
from segcube.spec.challenges import Challenge
from segcube.training.cases.image_and_labels import exchange_problems, outside_problems, same_channel_problems
from segcube.training.cases.label_map import LabelValues, check_labels
from segcube.training.cases.pairing import LabelledCase
from segcube.training.cases.problems import Problem, errors_of, problem, problem_of

DIGEST_BYTES = 16


@dataclass(frozen=True, eq=False)
class CheckedCase:
    """A case in memory, with its problems."""

    case: LabelledCase
    volume: Volume | None
    """None where a channel cannot be read or has another grid."""
    labels_xyz: np.ndarray | None
    """Unsigned integers, as stored; None where the label map cannot be read."""
    problems: tuple[Problem, ...]
    label_voxels: Mapping[str, int] = field(default_factory=dict)
    """Voxels of each label of the challenge."""
    image_digests: Mapping[str, str] = field(default_factory=dict)
    """Digest of the voxels of each channel that can be read and is not constant."""
    label_digest: str | None = None
    """Of the label map's voxels; None for one that is constant or cannot be read."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the case from being trained on."""
        return errors_of(self.problems)


def check_case(case: LabelledCase, challenge: Challenge, ignore: int | None = None) -> CheckedCase:
    """Read a case and report all its problems; raises none of them.

    ignore: the value of voxels that take no part in training.
    """
    try:
        return _check(case, LabelValues(challenge, ignore))
    except Exception as error:
        fault = as_case_error(error)
        file = case.case.reference_file
        unread = problem(fault.code, case.name, fault.found, file=fault.file or file, hint=fault.hint)
        return CheckedCase(case, None, None, (unread,))


def read_labels_of(
    case: LabelledCase, volume: Volume, challenge: Challenge, ignore: int | None
) -> np.ndarray:
    """Read the label map of a case for its image; returns unsigned integers (X, Y, Z).

    Raises CaseError with the first error that `check_case` reports of grid, values and place of the labels.
    """
    values = LabelValues(challenge, ignore)
    labels = check_labels(case, volume.grid, values)
    for wrong in errors_of([*labels.problems, *outside_problems(case, volume, labels, values)]):
        # The message names the file already
        raise CaseError(wrong.code, wrong.message)
    assert labels.labels_xyz is not None, "a label map that cannot be read has an error"
    return labels.labels_xyz


def content_digest(image_xyz: np.ndarray) -> str:
    """Return a digest of shape and values of (X, Y, Z) numbers, independent of their type."""
    digest = blake2b(repr(image_xyz.shape).encode(), digest_size=DIGEST_BYTES)
    for z in range(image_xyz.shape[2]):
        # Adding 0 turns -0 into 0
        slice_yx = np.ascontiguousarray(image_xyz[:, :, z].T, dtype=np.float32) + np.float32(0)
        digest.update(slice_yx.data)
    return digest.hexdigest()


def _check(case: LabelledCase, values: LabelValues) -> CheckedCase:
    grid = _reference_grid(case)
    volumes, problems = _read_channels(case, grid, values.challenge)
    labels = check_labels(case, grid, values)
    problems += labels.problems
    digests = {
        name: content_digest(volume.voxels[0])
        for name, volume in volumes.items()
        if not any(notice.code is Code.CONSTANT for notice in volume.notices)
    }
    label_digest = None
    if labels.labels_xyz is not None and len(labels.counts) > 1:
        label_digest = content_digest(labels.labels_xyz)
    channels = {name: volumes[name].voxels[0] for name in digests}
    problems += same_channel_problems(case, digests)
    problems += exchange_problems(case, channels, labels, values)
    volume = _joined(volumes) if len(volumes) == len(values.challenge.channels) else None
    if volume is not None:
        problems += outside_problems(case, volume, labels, values)
    voxels = {name: labels.counts.get(value, 0) for name, value in values.challenge.labels.items()}
    known = voxels if labels.labels_xyz is not None else {}
    return CheckedCase(case, volume, labels.labels_xyz, tuple(problems), known, digests, label_digest)


def _reference_grid(case: LabelledCase) -> Grid | None:
    """The grid of the reference channel; None for an invalid header, which its own reading reports."""
    try:
        return read_grid(case.case.reference_file)[0]
    except CaseError:
        return None


def _read_channels(
    case: LabelledCase, grid: Grid | None, challenge: Challenge
) -> tuple[dict[str, Volume], list[Problem]]:
    """Read the channels one by one, so that a bad one does not keep the others from being checked."""
    volumes: dict[str, Volume] = {}
    problems: list[Problem] = []
    for channel in challenge.channel_names:
        # Without a grid to compare with, each channel is read for itself
        one = case.case if grid is not None else replace(case.case, reference=channel)
        rules = challenge if channel == case.case.reference else None
        try:
            volumes[channel] = read_volume(one, [channel], rules)
        except CaseError as fault:
            problems.append(problem_of(fault, case.name))
            continue
        for notice in volumes[channel].notices:
            found, file = notice.message.removeprefix(f"{channel}: "), case.case.files[channel]
            if notice.code is Code.CONSTANT:
                hint = "export the image again; a channel without contrast teaches nothing"
                problems.append(problem(notice.code, case.name, found, file=file, hint=hint))
            else:
                problems.append(problem(notice.code, case.name, found, file=file).as_notice())
    return volumes, problems


def _joined(volumes: Mapping[str, Volume]) -> Volume:
    found = list(volumes.values())
    return replace(
        found[0],
        channels=tuple(volumes),
        voxels=tuple(volume.voxels[0] for volume in found),
        notices=tuple(notice for volume in found for notice in volume.notices),
    )
