"""Plan a run: read a data set once, check it, and write the files of the run's folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from segcube.core import LOG, Code, UsageError, count_of, write_atomic
from segcube.importers import ImportOptions, read_target
from segcube.spec.challenges import Challenge, load_challenge
from segcube.spec.submission import check_empty_folder, read_challenge
from segcube.training.cases import (
    CheckedCase,
    DataError,
    Folds,
    LabelledCase,
    LabelledData,
    Problem,
    check_dataset,
    lines_by_code,
    load_folds,
    make_folds,
    one_fold,
    read_folds,
    write_folds,
    write_problems,
)
from segcube.training.device import open_device, set_exactness
from segcube.training.losses import build_loss, loss_outputs
from segcube.training.plan import (
    CaseMeasurement,
    Fingerprint,
    Plan,
    PreviousStage,
    collect_fingerprint,
    fit_plan,
    import_plans,
    make_plan,
    measure_case,
    plan_notices,
    read_plan,
    reuse_plan,
    samples_per_case,
    write_fingerprint,
    write_plan,
)
from segcube.training.run.cases import DatasetFile, cache_rules, read_dataset, write_dataset
from segcube.training.run.folder import RunFolder
from segcube.training.run.previous import find_previous
from segcube.training.run.request import (
    PlanRequest,
    challenge_files,
    dataset_of,
    find_data,
    requested_challenge,
    stored_challenge,
)
from segcube.training.stream import StreamRules, make_streamed

USUAL_FOLDS = 5
OF_TRAINING = (Code.FEW_CASES, Code.LABEL_RARE)
"""What is wrong with cases that train, and not with those that only validate."""
OnCase: TypeAlias = Callable[[str, int], None]
"""Receives the name of each finished case, and how many cases there are."""


def plan_run(
    request: PlanRequest, run: RunFolder, *, fresh: bool = False, on_case: OnCase | None = None
) -> Plan:
    """Check a data set, plan its training and write the run's folder; returns the plan.

    A folder that was planned by the same request is kept, unless `fresh`; the number of steps may differ.
    Raises DataError with all problems of the data, which problems.csv lists too, UsageError for a folder that
    holds another run, and as `make_plan` and `fit_plan` do.
    """
    if run.plan.exists() and not fresh:
        return _planned_before(request, run)
    _check_request(request, run)
    device, data = open_device(request.device), find_data(request)
    challenge = data.challenge
    fingerprint, problems = _read_cases(data, on_case)
    write_problems(problems, run.problems)
    if fingerprint is None:
        errors = [problem for problem in problems if problem.is_error]
        raise DataError(errors, request.data, hint=f"all problems are listed in {run.problems}")
    # Phantoms alone need no number of cases
    shown = (
        problems if request.recipe.uses_cases else [one for one in problems if one.code not in OF_TRAINING]
    )
    for line in lines_by_code(shown):
        LOG.warning("%s", line)
    for extra, source in zip(request.extra, data.sources, strict=True):
        cases = count_of(sum(case.source is source for case in data.cases), "case")
        LOG.info("%s: %s that %s", extra.folder, cases, "join the folds" if source.in_folds else "only train")
    folds = _folds(request, data.cases)
    previous = None if request.previous is None else find_previous(request.previous, challenge, folds)
    plan = _plan(request, fingerprint, challenge, previous)
    for notice in plan_notices(plan):
        LOG.warning("%s", notice)
    _check_phantoms(plan, dataset_of(data, request), challenge)
    outputs = loss_outputs(plan.branch.outputs, challenge, ignore=plan.ignores(data.ignore_value))
    loss = build_loss(plan.recipe.loss, outputs, batch_dice=plan.batch_dice)
    set_exactness(device, exact=False)
    plan = fit_plan(plan, loss, device, request.memory_gb)
    plan = plan.model_copy(update={"challenge": stored_challenge(request)})
    # A folder with a plan is complete: the plan of before is removed first, the new one is written last
    challenges = challenge_files(request)
    run.plan.unlink(missing_ok=True)
    for name, content in challenges.items():
        write_atomic(run.root / name, content)
    write_fingerprint(fingerprint, run.fingerprint)
    write_dataset(dataset_of(data, request), run)
    write_folds(folds, run.folds)
    write_plan(plan, run.plan)
    return plan


def _check_request(request: PlanRequest, run: RunFolder) -> None:
    """Raise UsageError, before a case is read, for files that are missing and a folder of something else."""
    for file in (request.folds, request.plans):
        if isinstance(file, Path) and not file.is_file():
            raise UsageError(
                "no such file", file=file, expected="a file of folds, plans.json of nnU-Net, or plan.yaml"
            )
    if request.previous is not None:
        RunFolder(request.previous).check()
    is_single, name = request.recipe.cascade is None, request.recipe.name
    if is_single != (request.previous is None):
        found = "--previous with a recipe of a single stage" if is_single else "a recipe of a second stage"
        expected = "one with cascade, such as mbas-stage2" if is_single else "--previous as well"
        raise UsageError(f"recipe {name}: {found}", expected=expected)
    # A plan that failed left problems.csv
    if not (run.plan.exists() or run.problems.exists()):
        check_empty_folder(run.root)


def _check_phantoms(plan: Plan, dataset: DatasetFile, challenge: Challenge) -> None:
    """Make a phantom of those that a recipe trains on: raises UsageError for a challenge that has none."""
    if plan.recipe.synthetic is not None:
        make_streamed(StreamRules(cache_rules(plan, dataset, challenge), plan.recipe.synthetic), 0)


def _planned_before(request: PlanRequest, run: RunFolder) -> Plan:
    plan, dataset, challenge = read_plan(run.plan), read_dataset(run), requested_challenge(request)
    compared: dict[str, tuple[object, object]] = {
        "data": (dataset.data, request.data.absolute()),
        "challenge": (read_challenge(plan.challenge, run.root), challenge),
        "recipe": (plan.recipe.model_copy(update={"steps": request.recipe.steps}), request.recipe),
    }
    if all(found == wanted for found, wanted in compared.values()):
        data = find_data(request)
        wanted = dataset_of(data, request)
        compared |= {
            "ignore label": (dataset.ignore_value, wanted.ignore_value),
            "further data": (dataset.sources, wanted.sources),
            "challenge of further data": (
                [read_challenge(entry.challenge, run.root) for entry in dataset.sources],
                [source.challenge for source in data.sources],
            ),
            "cases or label maps": (dataset.cases, wanted.cases),
            "split": (load_folds(run.folds), _folds(request, data.cases)),
            "--previous": (plan.previous and plan.previous.run, _absolute(request.previous)),
            "--plans": (_planned_sizes(plan), _planned_sizes(_imported(request, plan))),
        }
    differing = [name for name, (found, wanted) in compared.items() if found != wanted]
    if differing:
        raise UsageError(
            f"the folder holds a run with other {', '.join(differing)}",
            file=run.root,
            expected="the command that planned it, or a new folder",
            hint="name another folder with --out, or plan this one anew with --fresh",
        )
    LOG.info(
        "%s was planned before, for %s; --fresh plans it anew",
        run.root,
        count_of(len(dataset.cases), "case"),
    )
    return plan if plan.recipe == request.recipe else _lengthened(plan, request.recipe.steps, run)


def _absolute(file: Path | None) -> Path | None:
    return None if file is None else file.absolute()


def _lengthened(plan: Plan, steps: int, run: RunFolder) -> Plan:
    """Write a plan with another number of steps, which a training can go on to."""
    recipe, estimate = plan.recipe.model_copy(update={"steps": steps}), plan.estimate
    if estimate is not None:
        estimate = estimate.model_copy(update={"hours": estimate.hours * steps / plan.recipe.steps})
    plan = plan.model_copy(update={"recipe": recipe, "estimate": estimate})
    write_plan(plan, run.plan)
    return plan


def _read_cases(data: LabelledData, on_case: OnCase | None) -> tuple[Fingerprint | None, tuple[Problem, ...]]:
    """The fingerprint and the problems; None where these keep the data from being trained on."""
    samples, total = samples_per_case(len(data.cases)), len(data.cases)

    def measure(checked: CheckedCase) -> CaseMeasurement:
        assert checked.volume is not None
        assert checked.labels_xyz is not None
        return measure_case(checked.volume, checked.labels_xyz, data.challenge, samples)

    checked = check_dataset(data, measure, None if on_case is None else lambda name: on_case(name, total))
    if checked.errors:
        return None, checked.problems
    return collect_fingerprint(checked.measures.values(), data.challenge), checked.problems


def _folds(request: PlanRequest, cases: Sequence[LabelledCase]) -> Folds:
    folds = request.folds
    if folds is None and request.previous is not None:
        folds = RunFolder(request.previous).folds
    if isinstance(folds, Path):
        alone = not request.recipe.uses_cases
        return read_folds(folds, cases, of_other_run=True, phantoms_alone=alone)
    if folds is None and not request.recipe.uses_cases:
        return one_fold(cases)
    if folds is None:
        folds = min(USUAL_FOLDS, len({case.patient for case in cases if not case.is_training_only}))
    return make_folds(cases, folds)


def _imported(request: PlanRequest, plan: Plan) -> Plan:
    """The plan of a request's --plans; without it, the plan as it is."""
    challenge = requested_challenge(request)
    return plan if request.plans is None else _import(request, request.plans, challenge, plan.previous)


def _planned_sizes(plan: Plan) -> tuple[object, ...]:
    """What --plans decides."""
    return plan.origin, plan.network, plan.arguments, plan.patch, plan.batch, plan.spacing


def _plan(
    request: PlanRequest, fingerprint: Fingerprint, challenge: Challenge, previous: PreviousStage | None
) -> Plan:
    if request.plans is None:
        return make_plan(fingerprint, challenge, request.recipe, previous)
    return _import(request, request.plans, challenge, previous)


def _import(request: PlanRequest, plans: Path, challenge: Challenge, previous: PreviousStage | None) -> Plan:
    if plans.suffix in (".yaml", ".yml"):
        return reuse_plan(plans, challenge, request.recipe, previous)
    options = ImportOptions(read_target(request.challenge), load_challenge(request.challenge).key)
    return import_plans(plans, options, request.recipe, request.configuration, previous)
