"""Fingerprint of labelled cases: shapes, spacings and intensities, as nnU-Net's planner needs them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.orientations import aff2axcodes
from pydantic import Field, ValidationError

from segcube.core import (
    AxisCodes,
    BoundedShape,
    EnvironmentFault,
    Name,
    SpacingMm,
    StrictModel,
    Volume,
    explain_validation_error,
    read_json,
    write_atomic,
)
from segcube.spec.challenges import Challenge
from segcube.training.plan.intensities import (
    Counts,
    Intensities,
    add_counts,
    intensities_of,
    merge_counts,
    sample_foreground,
)
from segcube.transforms import crop_box


class CaseFingerprint(StrictModel):
    """What planning needs to know of a case; shapes and spacing are of the file's axes x, y, z."""

    name: Name
    shape: BoundedShape
    spacing: tuple[SpacingMm, SpacingMm, SpacingMm]
    orientation: AxisCodes
    """Direction of each axis, such as LPS."""
    cropped_shape: BoundedShape
    """Of the box around voxels that are nonzero in any channel."""
    label_voxels: dict[Name, int]
    """Voxels of each label, background included."""

    @property
    def cropped_share(self) -> float:
        """Voxels of the box as a share of all."""
        return math.prod(self.cropped_shape) / math.prod(self.shape)


class Fingerprint(StrictModel):
    """All cases, and the intensities of each channel in the foreground of their labels."""

    channels: tuple[Name, ...]
    cases: tuple[CaseFingerprint, ...] = Field(min_length=1)
    intensities: tuple[Intensities, ...] = ()
    """For each channel; empty where no case has a labelled voxel."""

    @property
    def cropped_share(self) -> float:
        """Median share of the volume that is left after cropping."""
        return float(np.median([case.cropped_share for case in self.cases]))

    @property
    def label_voxels(self) -> dict[str, int]:
        """Voxels of each label in all cases."""
        names = self.cases[0].label_voxels
        return {name: sum(case.label_voxels.get(name, 0) for case in self.cases) for name in names}


@dataclass(frozen=True)
class CaseMeasurement:
    """A case's part of the fingerprint, with its sampled foreground voxels for each channel."""

    case: CaseFingerprint
    sampled: tuple[Counts, ...]


def measure_case(
    volume: Volume, labels_xyz: np.ndarray, challenge: Challenge, samples: int
) -> CaseMeasurement:
    """Measure one case that was read already.

    labels_xyz: label values (X, Y, Z) on the volume's grid. samples: voxels to sample of each channel, see
    `samples_per_case`. Foreground is every value above 0 within the box of nonzero voxels, as in nnU-Net.
    """
    box = crop_box(volume.voxels, "nonzero")
    case = CaseFingerprint(
        name=volume.case.name,
        shape=volume.grid.shape,
        spacing=volume.spacing,
        orientation="".join(aff2axcodes(volume.grid.affine)),
        cropped_shape=box.shape,
        label_voxels={
            name: int(np.count_nonzero(labels_xyz == value)) for name, value in challenge.labels.items()
        },
    )
    # The random stream of nnU-Net runs along arrays (z, y, x)
    labelled_zyx = box.apply(labels_xyz).T > 0
    foreground = (box.apply(channel_xyz).T[labelled_zyx] for channel_xyz in volume.voxels)
    return CaseMeasurement(case, sample_foreground(foreground, samples))


def collect_fingerprint(measured: Iterable[CaseMeasurement], challenge: Challenge) -> Fingerprint:
    """Combine the measurements of all cases, in the order of their names.

    measured: one or more, in any order; a generator, so that their samples are merged one by one.
    """
    cases: list[CaseFingerprint] = []
    sampled: list[list[Counts]] = [[] for _ in challenge.channel_names]
    for one in measured:
        cases.append(one.case)
        for parts, part in zip(sampled, one.sampled, strict=True):
            add_counts(parts, part)
    found = [statistics for parts in sampled if (statistics := intensities_of(merge_counts(parts)))]
    return Fingerprint(
        channels=challenge.channel_names,
        cases=tuple(sorted(cases, key=lambda case: case.name)),
        intensities=tuple(found),
    )


def write_fingerprint(fingerprint: Fingerprint, file: Path) -> None:
    """Write a fingerprint as JSON. Raises EnvironmentFault when it cannot be written."""
    write_atomic(file, (fingerprint.model_dump_json(indent=1) + "\n").encode())


def read_fingerprint(file: Path) -> Fingerprint:
    """Read a fingerprint. Raises EnvironmentFault for a file that is missing, broken or not a fingerprint."""
    content = read_json(file, EnvironmentFault, "a fingerprint, as `segcube plan` writes it")
    try:
        return Fingerprint.model_validate(content)
    except ValidationError as error:
        raise EnvironmentFault(explain_validation_error(error, Fingerprint), file=file) from error
