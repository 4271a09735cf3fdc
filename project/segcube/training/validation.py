"""Validation during a training: whole cases by sliding windows on the native grid, scored by region."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from segcube.backends import TorchBackend
from segcube.core import LOG, Case, Vector
from segcube.evaluation import score_labels
from segcube.formats.nifti import read_labels
from segcube.inference import Models, StageResult, predict_after, predict_case
from segcube.spec.challenges import Challenge
from segcube.spec.submission import LoadedSubmission, Member, branch_files
from segcube.training.loop import ValidationResult
from segcube.training.plan import PLACEHOLDER, PLACEHOLDER_SHA256, Plan
from segcube.training.submission import submission_of

ANY = "any"
"""All labels together, in recall and counts."""


@dataclass(frozen=True)
class ValidationCase:
    """A case and its reference label map; previous: in a cascade, the first stage's map out of fold."""

    case: Case
    label: Path
    previous: Path | None = None


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
    values[ANY] = [value for value in challenge.labels.values() if value != 0]
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
    plan: Plan,
    challenge: Challenge,
    cases: Sequence[ValidationCase],
    device: str,
    ignore_value: int | None = None,
    on_predicted: Callable[[ValidationCase, PredictedCase], None] | None = None,
) -> Callable[[torch.nn.Module, int], ValidationResult]:
    """Return the validation of a training: predict some cases with the averaged weights and score them.

    The score is the mean Dice over cases and scored regions; 1 minus it is the loss of a plateau schedule.
    Without mirroring. ignore_value: of reference voxels that are not scored. on_predicted: called with each
    case. A class that is never predicted and maps that are all the same give a warning. The function raises
    CaseError for a case that cannot be read.
    """
    submission = submission_of(plan, "training", [Member(file=PLACEHOLDER, sha256=PLACEHOLDER_SHA256)])
    loaded = LoadedSubmission(submission, Path(), challenge)
    stage = submission.stages[0]
    (file,) = branch_files(stage, stage.branches[0], submission, Path())

    def validate(network: torch.nn.Module, _step: int) -> ValidationResult:
        backend = TorchBackend(device, "fp32", "validation during training", networks={file: network})
        models = Models(loaded, backend, mirroring=False, log=LOG.warning)
        predicted = [_predict(case, models, plan, ignore_value) for case in cases]
        for case, found in zip(cases, predicted, strict=True):
            if on_predicted is not None:
                on_predicted(case, found)
        return summarise(predicted, challenge)

    return validate


@dataclass(frozen=True)
class PredictedCase:
    """A label map and its reference on the same grid."""

    name: str
    found_xyz: np.ndarray
    reference_xyz: np.ndarray
    spacing: Vector
    """In mm."""


def _predict(case: ValidationCase, models: Models, plan: Plan, ignore_value: int | None) -> PredictedCase:
    follows, previous = plan.follows, plan.previous
    if follows is not None and previous is not None and case.previous is not None:
        labels_xyz = read_labels(case.previous)[0]
        masks_kxyz = np.stack([labels_xyz == value for value in previous.labels.values()])
        # Regions of the first stage are painted already
        unpainted = follows.model_copy(update={"paint": ()})
        found_xyz = predict_after(
            case.case, StageResult(tuple(previous.labels), masks_kxyz), unpainted, models
        )
    else:
        found_xyz = predict_case(case.case, models).labels_xyz
    reference_xyz, grid, _ = read_labels(case.label)
    found_xyz, reference_xyz = without_ignored(found_xyz, reference_xyz, ignore_value)
    return PredictedCase(case.case.name, found_xyz, reference_xyz, grid.spacing)


def without_ignored(
    found_xyz: np.ndarray, reference_xyz: np.ndarray, ignore_value: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return prediction and reference with background where the reference has the ignored value."""
    if ignore_value is None:
        return found_xyz, reference_xyz
    ignored_xyz = reference_xyz == ignore_value
    return np.where(ignored_xyz, 0, found_xyz), np.where(ignored_xyz, 0, reference_xyz)


def summarise(cases: Sequence[PredictedCase], challenge: Challenge) -> ValidationResult:
    """Score maps against their references: Dice and recall by region, the challenge's metrics, confusion."""
    counts = {case.name: count_regions(case.found_xyz, case.reference_xyz, challenge) for case in cases}
    scores = {name: {region: row[region].dice for region in challenge.scored} for name, row in counts.items()}
    mean = {region: fmean(row[region] for row in scores.values()) for region in challenge.scored}
    recall = {
        region: _mean_without_nan([row[region].recall for row in counts.values()])
        for region in (*challenge.scored, ANY)
    }
    official = {
        case.name: score_labels(case.found_xyz, case.reference_xyz, case.spacing, challenge).regions
        for case in cases
    }
    voxels = np.sum([confusion(case.found_xyz, case.reference_xyz, challenge) for case in cases], axis=0)
    record = {
        "scores": scores,
        "mean": mean,
        "recall": recall,
        "challenge_metrics": {
            name: {region: dict(row) for region, row in regions.items()} for name, regions in official.items()
        },
        "confusion": {"labels": list(challenge.labels), "voxels": voxels.tolist()},
    }
    score = fmean(mean.values())
    return ValidationResult(score, 1 - score, record, tuple(_warnings(cases, challenge)))


def _warnings(cases: Sequence[PredictedCase], challenge: Challenge) -> Iterator[str]:
    """Labels that the references have and no map has, and maps that are all the same."""
    predicted = {value for case in cases for value in np.unique(case.found_xyz).tolist()}
    present = {value for case in cases for value in np.unique(case.reference_xyz).tolist()}
    written = {paint.label for paint in challenge.write}
    for label, value in challenge.labels.items():
        if label in written and value in present - predicted:
            yield f"{label} is predicted in no validation case"
    first, *others = cases
    if others and all(np.array_equal(first.found_xyz, other.found_xyz) for other in others):
        yield "the label maps of all validation cases are the same"


def _mean_without_nan(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return fmean(known) if known else math.nan
