"""Validation during a training: whole cases by sliding windows on the native grid, scored by region."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from segcube.backends import TorchBackend
from segcube.core import LOG, Case
from segcube.evaluation import score_labels
from segcube.formats.nifti import read_labels
from segcube.inference import Models, predict_case
from segcube.spec.challenges import Challenge
from segcube.spec.submission import LoadedSubmission, Member, branch_files
from segcube.training.export import submission_of
from segcube.training.loop import ValidationResult
from segcube.training.plan import PLACEHOLDER, PLACEHOLDER_SHA256, Plan


@dataclass(frozen=True)
class ValidationCase:
    """A case and its reference label map."""

    case: Case
    label: Path


@dataclass(frozen=True)
class RegionCounts:
    """Voxels of a region in the reference, in the prediction, and in both."""

    reference: int
    found: int
    both: int

    @property
    def dice(self) -> float:
        """1 where the region is in neither map."""
        total = self.reference + self.found
        return 2 * self.both / total if total else 1.0

    @property
    def recall(self) -> float:
        """NaN where the reference lacks the region."""
        return self.both / self.reference if self.reference else math.nan


def count_regions(
    found_xyz: np.ndarray, reference_xyz: np.ndarray, challenge: Challenge
) -> dict[str, RegionCounts]:
    """Count the voxels of each scored region, and of `any`, all labels together."""
    values = {region: challenge.region_values(region) for region in challenge.scored}
    values["any"] = [value for value in challenge.labels.values() if value != 0]
    counts: dict[str, RegionCounts] = {}
    for region, labels in values.items():
        found, reference = np.isin(found_xyz, labels), np.isin(reference_xyz, labels)
        both = np.count_nonzero(found & reference)
        counts[region] = RegionCounts(int(reference.sum()), int(found.sum()), int(both))
    return counts


def confusion(found_xyz: np.ndarray, reference_xyz: np.ndarray, challenge: Challenge) -> np.ndarray:
    """Count voxels by label: rows are the reference's labels, columns the prediction's, in the YAML's order.

    Voxels of other values, such as an ignore label, are left out.
    """
    values = list(challenge.labels.values())
    return np.array(
        [
            [np.count_nonzero((reference_xyz == row) & (found_xyz == column)) for column in values]
            for row in values
        ]
    )


def validator(
    plan: Plan, challenge: Challenge, cases: Sequence[ValidationCase], device: str
) -> Callable[[torch.nn.Module, int], ValidationResult]:
    """Return the validation of a training: predict some cases with the averaged weights and score them.

    The score is the mean Dice over cases and scored regions; 1 minus it is the loss of a plateau schedule.
    Without mirroring. A class that is never predicted and maps that are all the same give a warning.
    """
    submission = submission_of(plan, "training", [Member(file=PLACEHOLDER, sha256=PLACEHOLDER_SHA256)])
    loaded = LoadedSubmission(submission, Path(), challenge)
    stage = submission.stages[0]
    (file,) = branch_files(stage, stage.branches[0], submission, Path())

    def validate(network: torch.nn.Module, step: int) -> ValidationResult:
        backend = TorchBackend(device, "fp32", "validation during training", networks={file: network})
        models = Models(loaded, backend, mirroring=False, log=LOG.warning)
        maps = {case.case.name: predict_case(case.case, models).labels_xyz for case in cases}
        references = {case.case.name: read_labels(case.label)[0] for case in cases}
        warn_of_constant_maps(maps, references, challenge, step)
        return summarise(maps, references, cases, challenge)

    return validate


def summarise(
    maps: Mapping[str, np.ndarray],
    references: Mapping[str, np.ndarray],
    cases: Sequence[ValidationCase],
    challenge: Challenge,
) -> ValidationResult:
    """Score maps against their references: Dice and recall by region, the challenge's metrics, confusion."""
    counts = {name: count_regions(maps[name], references[name], challenge) for name in maps}
    regions = challenge.scored
    scores = {name: {region: row[region].dice for region in regions} for name, row in counts.items()}
    mean = {region: fmean(row[region] for row in scores.values()) for region in regions}
    recall = {
        region: _mean_without_nan([row[region].recall for row in counts.values()])
        for region in (*regions, "any")
    }
    table = sum(confusion(maps[name], references[name], challenge) for name in maps)
    spacing_of = {case.case.name: read_labels(case.label)[1].spacing for case in cases}
    official = {
        name: {
            region: dict(row)
            for region, row in score_labels(
                maps[name], references[name], spacing_of[name], challenge
            ).regions.items()
        }
        for name in maps
    }
    score = fmean(mean.values())
    record = {
        "scores": scores,
        "mean": mean,
        "recall": recall,
        "challenge_metrics": official,
        "confusion": {"labels": list(challenge.labels), "voxels": np.asarray(table).tolist()},
    }
    return ValidationResult(score, 1 - score, record)


def warn_of_constant_maps(
    maps: Mapping[str, np.ndarray], references: Mapping[str, np.ndarray], challenge: Challenge, step: int
) -> None:
    """Log labels that the references have and no map has, and maps that are all the same."""
    predicted = {value for labels_xyz in maps.values() for value in np.unique(labels_xyz).tolist()}
    present = {value for labels_xyz in references.values() for value in np.unique(labels_xyz).tolist()}
    for label, value in challenge.labels.items():
        if value in present - predicted:
            LOG.warning("step %d: %s is predicted in no validation case", step, label)
    first, *others = maps.values()
    if others and all(np.array_equal(first, other) for other in others):
        LOG.warning("step %d: the label maps of all validation cases are the same", step)


def _mean_without_nan(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return fmean(known) if known else math.nan
