"""Score a folder of label maps against a folder of reference maps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from segcube.core import CaseError, Code, Grid, Shape, UsageError, Vector
from segcube.evaluation.processes import map_in_processes, worker_count
from segcube.evaluation.profiles.score import metrics_of, score_pair, scores_without_map
from segcube.evaluation.results import CaseScores, Evaluation
from segcube.formats import files_with, nifti_files
from segcube.formats.nifti import corner_distance_mm, read_grid, read_labels, same_grid
from segcube.inference.folder import library_versions
from segcube.spec.challenges import (
    Challenge,
    LesionWise,
    Metrics,
    load_challenge,
    match_challenge,
)

LISTED = 10
"""Labels that a message lists; a map of intensities has thousands of values."""


def find_maps(folder: Path, challenge: Challenge) -> dict[str, Path]:
    """Find the label maps of a folder at any depth, by case.

    Their names are those of cases, of outputs or of expert labels; other images are ignored. Raises
    UsageError if there is no folder, and for two maps of one case.
    """
    found: dict[str, Path] = {}
    for file in files_with(folder, lambda name: challenge.stem(name) is not None):
        stem = challenge.stem(file.name) or ""
        names = [stem, *(stem.removesuffix(suffix) for suffix in challenge.label_suffixes)]
        names.append(challenge.case_of_output(stem) or stem)
        case = next((name for name in names if challenge.is_case(name)), None)
        if case is None:
            continue
        if case in found:
            raise UsageError(f"a second map of {case}", file=file, expected=f"{found[case]} alone")
        found[case] = file
    return found


def choose_challenge(found: Path, reference: Path, key: str | None) -> Challenge:
    """Load the challenge of a key, or else the one that matches the names and shapes of the maps.

    Raises UsageError for an unknown key, and if no challenge or several match; the message lists their keys.
    """
    return load_challenge(key) if key else match_files([*nifti_files(reference), *nifti_files(found)])


def match_files(files: Sequence[Path]) -> Challenge:
    """The challenge that the names and grids of some images match. Raises UsageError as `match_challenge`."""

    def shapes() -> Iterator[Shape]:
        for file in files:
            with suppress(CaseError):
                yield read_grid(file)[0].shape

    return match_challenge([file.name for file in files], shapes())


def challenge_hint(
    folder: Path, challenge: Challenge, otherwise: str = "", option: str = "--challenge"
) -> str:
    """Suggest the other challenge that the names of a folder fit, or else return the given text."""
    with suppress(UsageError):
        other = match_files(nifti_files(folder)).key
        if other != challenge.key:
            return f"the names fit {other}: {option} {other}"
    return otherwise


@dataclass(frozen=True)
class ScoringJob:
    """The files of a case, and the rules to score it by."""

    case: str
    found: Path | None
    reference: Path
    challenge: Challenge
    metrics: Metrics
    ignore_value: int | None = None
    """Value in the reference of voxels that are not scored: background in both maps."""


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

    A case whose map is missing, unreadable or of another shape scores 0 and the penalty, as the organisers
    do. A case with an unreadable reference is reported and not scored. workers: processes, with one case each
    at a time; None for one a core, which is also the maximum; 1 starts no process. Memory grows with them,
    and a script that uses several needs Python's `if __name__ == "__main__"`. millimetres: keep distances in
    mm beside official ones in voxels. on_case: called after each case with its name and the number of cases.

    Raises UsageError when the reference has no map of the challenge, and for a profile without constants for
    the challenge; EnvironmentFault when a process dies.
    """
    metrics = metrics_of(challenge, profile)
    references = find_maps(reference, challenge)
    if not references:
        raise UsageError("no label map", file=reference, expected=f"files named like {challenge.case}")
    maps = find_maps(found, challenge)
    jobs = [ScoringJob(name, maps.get(name), file, challenge, metrics) for name, file in references.items()]
    evaluation = _evaluate(jobs, challenge, metrics, workers, millimetres, on_case)
    return replace(evaluation, without_reference=tuple(sorted(maps.keys() - references.keys())))


def evaluate_maps(
    pairs: Mapping[str, tuple[Path, Path]],
    challenge: Challenge,
    ignore_value: int | None = None,
    workers: int | None = None,
    on_case: Callable[[str, int], None] | None = None,
) -> Evaluation:
    """Score label maps against references by the challenge's own rules, as `evaluate_folder` does.

    pairs: map and reference of each case; a map that does not exist scores 0. ignore_value: in a reference,
    of voxels that are not scored.
    """
    metrics = metrics_of(challenge, None)
    jobs = [
        ScoringJob(name, found if found.exists() else None, reference, challenge, metrics, ignore_value)
        for name, (found, reference) in pairs.items()
    ]
    return _evaluate(jobs, challenge, metrics, workers, False, on_case)


def _evaluate(
    jobs: Sequence[ScoringJob],
    challenge: Challenge,
    metrics: Metrics,
    workers: int | None,
    millimetres: bool,
    on_case: Callable[[str, int], None] | None,
) -> Evaluation:
    cases: dict[str, CaseScores] = {}
    bad: dict[str, str] = {}
    with closing(map_in_processes(score_case, jobs, worker_count(workers, len(jobs)))) as results:
        for job, scores in zip(jobs, results, strict=True):
            if isinstance(scores, str):
                bad[job.case] = scores
            else:
                cases[job.case] = scores if millimetres else _official(scores)
            if on_case is not None:
                on_case(job.case, len(jobs))
    return Evaluation(metrics.profile, challenge.key, cases, library_versions(), bad_references=bad)


def score_case(job: ScoringJob) -> CaseScores | str:
    """Score one case from its files, or return why its reference cannot be read."""
    try:
        reference_xyz, grid, _ = read_labels(job.reference)
    except CaseError as error:
        return str(error)
    ignored_xyz = None if job.ignore_value is None else reference_xyz == job.ignore_value
    if ignored_xyz is not None:
        reference_xyz = np.where(ignored_xyz, 0, reference_xyz)
    problem = "no label map"
    if job.found is not None:
        try:
            return _score(job.found, reference_xyz, grid, job, ignored_xyz)
        except CaseError as error:
            problem = str(error)
    spacing = spacing_of(job.reference, job.metrics)
    return scores_without_map(reference_xyz, spacing, job.challenge, job.metrics, problem)


def _score(
    found: Path,
    reference_xyz: np.ndarray,
    reference_grid: Grid,
    job: ScoringJob,
    ignored_xyz: np.ndarray | None,
) -> CaseScores:
    found_xyz, grid, _ = read_labels(found)
    if grid.shape != reference_grid.shape:
        raise CaseError(
            Code.SHAPE_MISMATCH,
            f"shape {grid.shape}",
            file=found,
            expected=f"{reference_grid.shape}, as the reference",
        )
    if ignored_xyz is not None:
        found_xyz = np.where(ignored_xyz, 0, found_xyz)
    scores = score_pair(found_xyz, reference_xyz, spacing_of(found, job.metrics), job.challenge, job.metrics)
    notices = list(scores.notices)
    if not same_grid(grid, reference_grid):
        apart = corner_distance_mm(grid, reference_grid)
        notices.append(f"is up to {apart:.4g} mm away from the reference; scored voxel by voxel regardless")
    if unknown := unknown_labels(found_xyz, job.challenge):
        notices.append(f"{unknown}; ignored")
    return replace(scores, notices=tuple(notices))


def unknown_labels(labels_xyz: np.ndarray, challenge: Challenge) -> str:
    """Return a message about labels of a map that are none of the challenge's; empty without such labels."""
    unknown = sorted(set(np.unique(labels_xyz).tolist()) - set(challenge.labels.values()))
    listed = ", ".join(map(str, unknown[:LISTED])) + (" and others" if len(unknown) > LISTED else "")
    return f"labels {listed} are not labels of the challenge" if unknown else ""


def spacing_of(file: Path, metrics: Metrics) -> Vector:
    """The spacing of a label map in mm as the organisers' scripts read it: from the header, as float32.

    Scripts with `numbered_masks` rewrite the file with its affine alone, and so read the lengths of the
    affine's columns. On a grid along the axes both are equal.
    """
    grid, forms = read_grid(file)
    edges = forms.pixdim[1:4]
    if (isinstance(metrics, LesionWise) and metrics.numbered_masks) or min(edges) <= 0:
        edges = grid.spacing
    x, y, z = (float(np.float32(edge)) for edge in edges)
    return x, y, z


def _official(scores: CaseScores) -> CaseScores:
    """The scores without distances in mm beside official ones in voxels."""

    def kept(row: Mapping[str, float]) -> dict[str, float]:
        return {name: value for name, value in row.items() if not re.search(r"_mm(_std)?$", name)}

    lesions = tuple(replace(lesion, scores=kept(lesion.scores)) for lesion in scores.lesions)
    regions = {region: kept(row) for region, row in scores.regions.items()}
    return replace(scores, regions=regions, lesions=lesions)
