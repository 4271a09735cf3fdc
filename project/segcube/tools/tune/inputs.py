"""The inputs of a tuning: a submission or a challenge, and cases with probabilities and references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segcube.core import UsageError
from segcube.evaluation import choose_challenge, find_maps
from segcube.evaluation.profiles import metrics_of
from segcube.spec.challenges import Challenge, Metrics
from segcube.spec.submission import Retry, Rule, Stage, Submission, load_for_challenge
from segcube.tools.tune.cases import (
    ReadOptions,
    TuningCase,
    find_member_files,
    largest_difference,
    read_cases,
)
from segcube.tools.tune.region_scores import margin_of
from segcube.tools.tune.search_space import LOWEST, SearchSpace, Weights, build_search_space, thresholds_of

SAME_MEAN = 2e-3
"""Means of members saved as float16 differ by less from the run's own."""


@dataclass(frozen=True)
class TuneRequest:
    """The options of a tuning."""

    probabilities: Path
    reference: Path
    weights: Path | None = None
    challenge: str | None = None
    profile: str | None = None
    folds: int = 5
    seed: int = 0


@dataclass(frozen=True)
class Inputs:
    """What a tuning reads before it searches."""

    challenge: Challenge
    metrics: Metrics
    rules: tuple[Rule, ...]
    """The submission's own."""
    space: SearchSpace
    cases: tuple[TuningCase, ...]
    notices: tuple[str, ...]


def read_inputs(request: TuneRequest) -> Inputs:
    """Read the submission, its probabilities and the reference labels.

    A case with a missing or unreadable file is left out with a notice. Raises UsageError if no case is left,
    if the probabilities do not belong to the submission, and if there is nothing to search.
    """
    challenge, submission = _submission(request)
    metrics = metrics_of(challenge, request.profile)
    stage = submission.stages[-1] if submission else None
    rules = submission.postprocess if submission else ()
    notices: list[str] = []
    references = _saved_references(request, challenge, notices)
    members = _members(stage, notices)
    suffixes = find_member_files(
        request.probabilities, list(references), [Path(file).stem for file in members]
    )
    if len(members) > 1 and not suffixes:
        notices.append(
            "weights are not tuned: not every case has a file of each member (infer --each-member)"
        )
        members = ()
    weights = _weights(stage) if stage and members else ()
    options = ReadOptions(suffixes, weights, _floor(rules), margin_of(metrics))
    cases, problems = read_cases(references, request.probabilities, options)
    notices += [f"{name}: {problem}" for name, problem in problems.items()]
    _check_cases(cases, stage, challenge, request, notices)
    _check_merged(cases, request)
    names, kind = cases[0].names, cases[0].kind
    if kind == "labels" and not members:
        raise UsageError(
            f"nothing to search: a stage of labels ({', '.join(names)}) without a file of each member",
            file=request.probabilities,
            hint="infer --save-probabilities DIR --each-member, then tune --weights SUBMISSION",
        )
    space = build_search_space(rules, names, kind, members, cases[0].weights)
    return Inputs(challenge, metrics, tuple(rules), space, tuple(cases), tuple(notices))


def _submission(request: TuneRequest) -> tuple[Challenge, Submission | None]:
    if request.weights is not None:
        loaded = load_for_challenge(request.weights, request.challenge or "auto")
        return loaded.challenge, loaded.submission
    return choose_challenge(request.reference, request.reference, request.challenge), None


def _saved_references(request: TuneRequest, challenge: Challenge, notices: list[str]) -> dict[str, Path]:
    """The reference of each case with saved probabilities."""
    references = find_maps(request.reference, challenge)
    saved = {case for case in references if (request.probabilities / f"{case}.npz").is_file()}
    notices += [f"{case}: no saved probabilities" for case in references if case not in saved]
    return {case: file for case, file in references.items() if case in saved}


def _members(stage: Stage | None, notices: list[str]) -> tuple[str, ...]:
    """The members whose weights can be searched, by file."""
    if stage is None:
        return ()
    files = tuple(member.file for branch in stage.branches for member in branch.members)
    if len(files) > 1 and stage.merge == "logits":
        notices.append(
            f"weights are not tuned: stage {stage.name} merges logits, and probabilities were saved"
        )
        return ()
    if len({Path(file).stem for file in files}) < len(files):
        notices.append("weights are not tuned: two members have files of the same name")
        return ()
    return files


def _weights(stage: Stage) -> Weights:
    members = [member for branch in stage.branches for member in branch.members]
    return tuple(tuple(member.weight_for(name) for name in stage.names) for member in members)


def _floor(rules: Sequence[Rule]) -> float:
    """The lowest probability at which any point of the search finds a region."""
    if any(isinstance(rule, Retry) for rule in rules):
        return 0.0
    return min([LOWEST, *thresholds_of(rules).values()])


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
    """Raise UsageError if the probabilities were merged with other weights than the submission's."""
    for case in cases:
        gap = largest_difference(case)
        if gap > SAME_MEAN:
            raise UsageError(
                f"merged probabilities of {case.name} differ by up to {gap:.2g} from its members' mean",
                file=request.probabilities,
                expected="files of one run with the weights of submission.yaml",
                hint="save them again with `segcube infer --save-probabilities --each-member`",
            )
