"""What a tuning starts from: a submission or a challenge, and the cases that have both files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segcube.core import UsageError
from segcube.evaluation import choose_challenge, find_maps
from segcube.evaluation.profiles import metrics_of
from segcube.spec.challenges import Challenge, Metrics
from segcube.spec.submission import Retry, Rule, Stage, Submission, Threshold, load_for
from segcube.tools.tune.cases import Reading, TuningCase, find_saved, furthest_from_members, read_cases
from segcube.tools.tune.objective import margin_of
from segcube.tools.tune.search_space import LOWEST, Point, Weights, starting_point

SAME_MEAN = 2e-3
"""Means of members that were rounded to float16 differ from the run's own by less."""


@dataclass(frozen=True)
class TuneRequest:
    """What is asked of a tuning."""

    probabilities: Path
    reference: Path
    weights: Path | None = None
    challenge: str | None = None
    profile: str | None = None
    folds: int = 5
    seed: int = 0


@dataclass(frozen=True)
class Inputs:
    """What a tuning works on."""

    challenge: Challenge
    metrics: Metrics
    rules: tuple[Rule, ...]
    """The submission's own."""
    start: Point
    members: tuple[str, ...]
    """Files whose weights are searched; none where they stay."""
    cases: tuple[TuningCase, ...]
    notices: tuple[str, ...]


def read_inputs(request: TuneRequest) -> Inputs:
    """Read the submission, its probabilities and the true labels.

    A case that lacks one of its files, or has a broken one, is left out and told. Raises UsageError when no
    case is left, when the probabilities are not those of the submission, and when nothing can be searched.
    """
    challenge, submission = _submission(request)
    metrics = metrics_of(challenge, request.profile)
    stage = submission.stages[-1] if submission else None
    rules = submission.postprocess if submission else ()
    notices: list[str] = []
    references = _saved_references(request, challenge, notices)
    members = _members(stage, notices)
    suffixes = find_saved(request.probabilities, list(references), [Path(file).stem for file in members])
    if len(members) > 1 and not suffixes:
        notices.append("weights stay: not every case has a file of each member (infer --each-member)")
        members = ()
    weights = _weights(stage) if stage and members else ()
    reading = Reading(suffixes, weights, _floor(rules), margin_of(metrics))
    cases, problems = read_cases(references, request.probabilities, reading)
    notices += [f"{name}: {problem}" for name, problem in problems.items()]
    _check_cases(cases, stage, challenge, request, notices)
    _check_merged(cases, request)
    names, kind = cases[0].names, cases[0].kind
    if kind == "labels" and not members:
        raise UsageError(
            f"a stage of labels ({', '.join(names)}) without a file of each member: nothing to search",
            file=request.probabilities,
            hint="infer --save-probabilities DIR --each-member, then tune --weights SUBMISSION",
        )
    start = starting_point(rules, names, kind, cases[0].weights)
    return Inputs(challenge, metrics, tuple(rules), start, members, tuple(cases), tuple(notices))


def _submission(request: TuneRequest) -> tuple[Challenge, Submission | None]:
    if request.weights is not None:
        loaded = load_for(request.weights, request.challenge or "auto")
        return loaded.challenge, loaded.submission
    return choose_challenge(request.reference, request.reference, request.challenge), None


def _saved_references(request: TuneRequest, challenge: Challenge, notices: list[str]) -> dict[str, Path]:
    """The true label map of each case that has saved probabilities."""
    references = find_maps(request.reference, challenge)
    saved = {case for case in references if (request.probabilities / f"{case}.npz").is_file()}
    notices += [f"{case}: no saved probabilities" for case in references if case not in saved]
    return {case: file for case, file in references.items() if case in saved}


def _members(stage: Stage | None, notices: list[str]) -> tuple[str, ...]:
    """The files whose weights can be searched."""
    if stage is None:
        return ()
    files = tuple(member.file for branch in stage.branches for member in branch.members)
    if len(files) > 1 and stage.merge == "logits":
        notices.append(f"weights stay: stage {stage.name} merges logits, and probabilities were saved")
        return ()
    if len({Path(file).stem for file in files}) < len(files):
        notices.append("weights stay: members have files of one name")
        return ()
    return files


def _weights(stage: Stage) -> Weights:
    members = [member for branch in stage.branches for member in branch.members]
    return tuple(tuple(member.weighs(name) for name in stage.names) for member in members)


def _floor(rules: Sequence[Rule]) -> float:
    """No region is decided at a lower probability, whatever the search tries."""
    if any(isinstance(rule, Retry) for rule in rules):
        return 0.0
    own = [at for rule in rules if isinstance(rule, Threshold) for at in rule.at.values()]
    return min([LOWEST, *own])


def _check_cases(
    cases: Sequence[TuningCase],
    stage: Stage | None,
    challenge: Challenge,
    request: TuneRequest,
    notices: Sequence[str],
) -> None:
    folder = request.probabilities
    if not cases:
        raise UsageError(
            "; ".join(["no case to tune on", *notices[:1]]),
            file=folder,
            expected=f"CASE.npz for label maps of {challenge.key} in {request.reference}",
        )
    expected = (stage.names, stage.kind) if stage else (cases[0].names, cases[0].kind)
    for case in cases:
        if (case.names, case.kind) != expected:
            raise UsageError(
                f"{case.name} holds {case.kind} {', '.join(case.names)}",
                file=folder,
                expected=f"{expected[1]} {', '.join(expected[0])}",
            )
    known = challenge.regions if expected[1] == "regions" else challenge.labels
    unknown = [name for name in expected[0] if name not in known]
    if unknown:
        raise UsageError(
            f"{', '.join(unknown)} of the probabilities", file=folder, expected="among " + ", ".join(known)
        )


def _check_merged(cases: Sequence[TuningCase], request: TuneRequest) -> None:
    """Raise UsageError where the merged probabilities were made with other weights than the submission's."""
    for case in cases:
        furthest = furthest_from_members(case)
        if furthest > SAME_MEAN:
            raise UsageError(
                f"the merged probabilities of {case.name} lie up to {furthest:.2g} from its members' mean",
                file=request.probabilities,
                expected="files of one run, with the weights of submission.yaml",
                hint="save them again with `segcube infer --save-probabilities --each-member`",
            )
