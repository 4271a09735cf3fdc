"""Score a folder of label maps."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from segcube.core import CaseError, Code, Grid, UsageError, Vector
from segcube.evaluation.maps import find_maps
from segcube.evaluation.processes import at_once, in_order
from segcube.evaluation.profiles.score import metrics_of, score_pair, scores_without_map
from segcube.evaluation.results import BadReference, CaseScores, Evaluation
from segcube.formats.nifti import millimetres_apart, read_grid, read_labels, same_place
from segcube.inference.folder import library_versions
from segcube.spec.challenges import Challenge, LesionWise, Metrics


@dataclass(frozen=True)
class Job:
    """A case to score."""

    case: str
    found: Path | None
    reference: Path
    challenge: Challenge
    metrics: Metrics


def evaluate_folder(
    found: Path,
    reference: Path,
    challenge: Challenge,
    profile: str | None = None,
    workers: int | None = None,
    millimetres: bool = False,
    on_case: Callable[[str, int], None] | None = None,
) -> Evaluation:
    """Score the maps of `found` against those of `reference`, paired by case name.

    A case whose map is missing, unreadable or of another shape scores 0 everywhere and the penalty, as the
    organisers do. A case whose reference cannot be read is not scored, and named. workers: cases at once,
    each in a process of its own, at most as many as cores, which is also what none means; memory is that of
    so many cases. 1 starts no process; a script that lets several start needs Python's
    `if __name__ == "__main__"`. millimetres: keep what stands in mm beside official distances in voxels.
    on_case: hears the name of each case that is done, and how many there are.

    Raises UsageError when the reference holds no map of the challenge, and for a profile that the challenge
    has no constants for; EnvironmentFault when a process dies.
    """
    metrics = metrics_of(challenge, profile)
    references = find_maps(reference, challenge)
    if not references:
        raise UsageError("no label map", file=reference, expected=f"files named like {challenge.case}")
    maps = find_maps(found, challenge)
    jobs = [Job(name, maps.get(name), file, challenge, metrics) for name, file in references.items()]
    cases: dict[str, CaseScores] = {}
    bad: dict[str, str] = {}
    with closing(in_order(score_case, jobs, at_once(workers, len(jobs)))) as scored:
        for job, scores in zip(jobs, scored, strict=True):
            if isinstance(scores, BadReference):
                bad[job.case] = scores.problem
            else:
                cases[job.case] = scores if millimetres else _official(scores)
            if on_case is not None:
                on_case(job.case, len(jobs))
    alone = tuple(sorted(maps.keys() - references.keys()))
    return Evaluation(metrics.profile, challenge.key, cases, library_versions(), alone, bad)


def score_case(job: Job) -> CaseScores | BadReference:
    """Score one case from its files; the result says what is wrong with them."""
    try:
        reference_xyz, grid, _ = read_labels(job.reference)
    except CaseError as error:
        return BadReference(str(error))
    problem = "no label map"
    if job.found is not None:
        try:
            return _score(job.found, reference_xyz, grid, job)
        except CaseError as error:
            problem = str(error)
    spacing = spacing_of(job.reference, job.metrics)
    return scores_without_map(reference_xyz, spacing, job.challenge, job.metrics, problem)


def _score(found: Path, reference_xyz: np.ndarray, reference_grid: Grid, job: Job) -> CaseScores:
    found_xyz, grid, _ = read_labels(found)
    if grid.shape != reference_grid.shape:
        raise CaseError(
            Code.SHAPE_MISMATCH,
            f"shape {grid.shape}",
            file=found,
            expected=f"{reference_grid.shape}, the reference's",
        )
    scores = score_pair(found_xyz, reference_xyz, spacing_of(found, job.metrics), job.challenge, job.metrics)
    notices = list(scores.notices)
    if not same_place(grid, reference_grid):
        apart = millimetres_apart(grid, reference_grid)
        notices.append(f"lies up to {apart:.4g} mm from the reference; scored voxel by voxel all the same")
    strangers = sorted(set(np.unique(found_xyz).tolist()) - set(job.challenge.labels.values()))
    if strangers:
        notices.append(
            f"labels {', '.join(map(str, strangers))} are none of the challenge's and count for nothing"
        )
    return replace(scores, notices=tuple(notices))


def spacing_of(file: Path, metrics: Metrics) -> Vector:
    """The spacing of a label map, as the organisers' script finds it: in the header, as float32.

    Scripts that keep the parts' numbers write them anew with the affine alone, and so find the lengths of its
    columns. On a grid along the axes both are the same.
    """
    grid, forms = read_grid(file)
    edges = forms.pixdim[1:4]
    if (isinstance(metrics, LesionWise) and metrics.numbered_masks) or min(edges) <= 0:
        edges = grid.spacing
    x, y, z = (float(np.float32(edge)) for edge in edges)
    return x, y, z


def _official(scores: CaseScores) -> CaseScores:
    """The scores without those in mm that stand beside official ones."""

    def left(row: Mapping[str, float]) -> dict[str, float]:
        return {name: value for name, value in row.items() if not re.search(r"_mm(_std)?$", name)}

    lesions = tuple(replace(lesion, scores=left(lesion.scores)) for lesion in scores.lesions)
    regions = {region: left(row) for region, row in scores.regions.items()}
    return replace(scores, regions=regions, lesions=lesions)
