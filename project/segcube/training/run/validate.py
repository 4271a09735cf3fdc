"""Out-of-fold validation: predict the validation cases of each fold by the inference path, and score them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from segcube.backends import open_backend
from segcube.core import (
    LOG,
    CaseError,
    Checkpoint,
    EnvironmentFault,
    RunSettings,
    Sha256,
    StrictModel,
    UsageError,
    explain_validation_error,
    read_json,
    scratch_folder,
    write_atomic,
)
from segcube.evaluation import Evaluation, as_csv, as_json, evaluate_maps
from segcube.formats.nifti import read_labels, read_volume
from segcube.inference import Models, SavedProbabilities
from segcube.inference.folder import Request, predict_cases
from segcube.spec.challenges import Challenge
from segcube.spec.submission import load_for_challenge, sha256_of
from segcube.training.cases import load_folds
from segcube.training.plan import Plan, read_plan
from segcube.training.progress import can_draw
from segcube.training.run.cases import DatasetFile, read_dataset, run_challenge
from segcube.training.run.collect.members import weights_file, write_members
from segcube.training.run.folder import FoldNumber, RunFolder, ValidationFolder
from segcube.training.run.origin import check_origins, run_folds

MOST_PICTURES = 20


@dataclass(frozen=True)
class ValidateOptions:
    """How folds are validated. pictures: of the worst cases of each fold."""

    checkpoint: Checkpoint = "final"
    device: str = "auto"
    save_probabilities: bool = False
    pictures: int = MOST_PICTURES


class FoldScores(StrictModel):
    """summary.json of a validated fold: which weights reached which scores, over how many cases."""

    checkpoint: Checkpoint
    sha256: str
    profile: str
    cases: int
    problems: int
    """Cases without a valid map, which count as 0."""
    references: dict[str, Sha256]
    """Of the label map of each case."""
    probabilities: bool = False
    """Whether probabilities of these weights are saved."""
    mean: dict[str, dict[str, float | None]]
    """By region and metric; None where not finite, as a distance where one map lacks the region."""


def count_folds(run: RunFolder) -> int:
    """Return the number of a run's folds."""
    run.check()
    return len(load_folds(run.folds).validation)


def trained_folds(run: RunFolder, *, or_all: bool = False) -> Sequence[FoldNumber]:
    """Return the folds that are trained to their end.

    or_all: return `all` where it is the only one. Raises EnvironmentFault where there is none.
    """
    found: list[FoldNumber] = [fold for fold in range(count_folds(run)) if run.fold(fold).final.is_file()]
    if not found and or_all and run.fold("all").final.is_file():
        return ["all"]
    if not found:
        hint = f"segcube train {run.root} --fold 0"
        raise EnvironmentFault("no fold is trained to its end", file=run.root, hint=hint)
    return found


def validate_run(
    run: RunFolder, folds: Sequence[FoldNumber] = (), options: ValidateOptions | None = None
) -> Evaluation:
    """Predict and score the validation cases of folds; returns the scores of all their cases.

    folds: by default all that are trained. Maps of an earlier validation with the same weights are kept. Each
    fold's maps, scores.json, scores.csv and pictures are in validation/fold_N; the scores of all trained
    folds together are in validation, where all were asked for. The scores are those of the challenge, on the
    cases' own grids. Raises EnvironmentFault for a fold that is not trained or was trained with another plan
    or split, DataError for invalid folds, and UsageError for a fold that does not exist.
    """
    options, folds = options or ValidateOptions(), folds or trained_folds(run)
    dataset, plan = read_dataset(run), read_plan(run.plan)
    challenge, known = run_challenge(run, plan), run_folds(run, dataset)
    names: dict[FoldNumber, tuple[str, ...]] = {fold: known.split(fold).validation for fold in folds}
    for fold in folds:
        if not names[fold]:
            raise UsageError(f"fold {fold} has no validation cases", expected="the number of a fold")
        weights_file(run.fold(fold), options.checkpoint)
    check_origins(run, folds, plan, known)
    found: list[Evaluation] = []
    for fold, cases in names.items():
        LOG.info("fold %s: %d validation cases", fold, len(cases))
        found.append(_validate_fold(run, fold, cases, Validated(plan, dataset, challenge, options)))
    together = replace(
        found[0],
        cases={name: scores for one in found for name, scores in one.cases.items()},
        bad_references={name: why for one in found for name, why in one.bad_references.items()},
    )
    _write_scores_of_all(run, folds, together)
    return together


@dataclass(frozen=True)
class Validated:
    """What every fold of a validation shares."""

    plan: Plan
    dataset: DatasetFile
    challenge: Challenge
    options: ValidateOptions


def _validate_fold(run: RunFolder, fold: FoldNumber, names: Sequence[str], common: Validated) -> Evaluation:
    folder, dataset, options = run.validated(fold), common.dataset, common.options
    with scratch_folder(folder.root, "submission") as scratch:
        submission = write_members(run, common.plan, [fold], scratch, options.checkpoint)
        settings = RunSettings(device=options.device, resume=True)
        loaded = load_for_challenge(scratch)
        # No messages about a folder that is removed at the end
        backend = open_backend(settings, loaded, LOG.debug)
        models = Models(loaded, backend, settings.mirroring, LOG.debug)
        save = SavedProbabilities(folder.probabilities) if options.save_probabilities else None
        request = Request(dataset.data, folder.maps, scratch, settings, folder.report, save)
        weights = submission.stages[-1].members[0].sha256
        before = _read_scores(folder.summary) if folder.summary.is_file() else None
        if before is not None and before.sha256 != weights:
            # Before the first map is replaced: a validation that is killed leaves maps of unknown weights
            folder.summary.unlink()
        predict_cases(request, models, [dataset.case(name) for name in names])
    pairs = {name: (folder.maps / common.challenge.output_name(name), dataset.label(name)) for name in names}
    evaluation = evaluate_maps(pairs, common.challenge, dataset.ignore_value)
    _write_scores(evaluation, folder.root)
    kept = before is not None and before.probabilities and before.sha256 == weights
    scores = FoldScores(
        checkpoint=options.checkpoint,
        sha256=weights,
        profile=evaluation.profile,
        cases=len(evaluation.cases),
        problems=len(evaluation.problems),
        probabilities=options.save_probabilities or kept,
        references={name: sha256_of(file) for name, (_, file) in pairs.items() if file.is_file()},
        mean={
            region: {metric: value if math.isfinite(value) else None for metric, value in row.items()}
            for region, row in evaluation.mean.items()
        },
    )
    write_atomic(folder.summary, (scores.model_dump_json(indent=1) + "\n").encode())
    for name in _worst(evaluation, options.pictures):
        _draw(name, pairs[name], folder, common)
    return evaluation


def _write_scores_of_all(run: RunFolder, folds: Sequence[FoldNumber], evaluation: Evaluation) -> None:
    """Write the scores of all trained folds together; those of some folds would be taken for them."""
    if set(folds) >= set(trained_folds(run)):
        _write_scores(evaluation, run.validation)
        return
    for file in ("scores.json", "scores.csv"):
        (run.validation / file).unlink(missing_ok=True)
    LOG.info("scores of all trained folds together: segcube validate %s", run.root)


def _write_scores(evaluation: Evaluation, folder: Path) -> None:
    write_atomic(folder / "scores.json", as_json(evaluation))
    write_atomic(folder / "scores.csv", as_csv(evaluation))


def _worst(evaluation: Evaluation, count: int) -> list[str]:
    """The cases with the lowest mean of their regions' first metric, a Dice."""

    def mean(regions: Mapping[str, Mapping[str, float]]) -> float:
        values = [next(iter(row.values())) for row in regions.values()]
        known = [value for value in values if not math.isnan(value)]
        return sum(known) / len(known) if known else 0.0

    return sorted(evaluation.cases, key=lambda name: mean(evaluation.cases[name].regions))[:count]


def _draw(name: str, pair: tuple[Path, Path], folder: ValidationFolder, common: Validated) -> None:
    """Draw a case beside its reference; what cannot be read is logged."""
    if not can_draw():
        return
    from segcube.pages import draw_case  # matplotlib is optional

    try:
        volume = read_volume(common.dataset.case(name), common.challenge.channel_names)
        found_xyz, reference_xyz = (read_labels(file)[0] for file in pair)
        draw_case(volume, found_xyz, common.challenge, folder.pictures / f"{name}.png", reference_xyz)
    except (CaseError, EnvironmentFault) as error:
        LOG.warning("%s: no picture: %s", name, error)


def read_fold_scores(
    run: RunFolder, folds: Sequence[FoldNumber], checkpoint: Checkpoint
) -> Iterator[tuple[FoldNumber, FoldScores]]:
    """Yield the scores of those folds that were validated with the weights and labels that they have now."""
    dataset = read_dataset(run)
    for fold in folds:
        file = run.validated(fold).summary
        if not file.is_file():
            continue
        scores = _read_scores(file)
        if sha256_of(weights_file(run.fold(fold), checkpoint)) != scores.sha256:
            LOG.warning("fold %s was validated with other weights: its scores are left out", fold)
        elif changed := _changed_references(scores, dataset):
            LOG.warning("fold %s: the labels of %s changed: its scores are left out", fold, changed[0])
        else:
            yield fold, scores


def _changed_references(scores: FoldScores, dataset: DatasetFile) -> list[str]:
    """The cases whose label map is another one than that which was scored, of those that exist."""
    files = {name: dataset.label(name) for name in scores.references}
    return [
        name for name, file in files.items() if file.is_file() and sha256_of(file) != scores.references[name]
    ]


def _read_scores(file: Path) -> FoldScores:
    try:
        return FoldScores.model_validate(read_json(file, EnvironmentFault))
    except ValidationError as error:
        raise EnvironmentFault(explain_validation_error(error, FoldScores), file=file) from error
