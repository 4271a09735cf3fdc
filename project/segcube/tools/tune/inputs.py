"""The inputs of a tuning: a submission or a challenge, and cases with probabilities and references."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segcube.core import CaseError, UsageError
from segcube.evaluation import challenge_hint, choose_challenge, find_maps
from segcube.evaluation.profiles import metrics_of
from segcube.inference import SavedProbabilities
from segcube.spec.challenges import Challenge, Metrics
from segcube.spec.submission import Member, Retry, Rule, Stage, Submission, load_for_challenge
from segcube.tools.tune.cases import CaseFiles, CaseLimits, TuningCase, largest_difference, read_case
from segcube.tools.tune.region_scores import margin_of
from segcube.tools.tune.runs import find_out_of_fold
from segcube.tools.tune.search_space import LOWEST, SearchSpace, build_search_space, thresholds_of

SAME_MEAN = 2e-3
"""Means of members saved as float16 differ by less from the run's own."""


FEW_PATIENTS = 10
"""With fewer, the standard error of the gain is rough itself."""


@dataclass(frozen=True)
class TuneRequest:
    """The options of a tuning: probabilities and references, or training runs, which have both."""

    probabilities: Path | None = None
    reference: Path | None = None
    weights: Path | None = None
    challenge: str | None = None
    profile: str | None = None
    folds: int = 5
    seed: int = 0
    runs: tuple[Path, ...] = ()


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
    patients: Mapping[str, str] = field(default_factory=dict)
    """Of cases, where they are not by the name."""

    def patient_of(self, case: str) -> str:
        """Return the patient of a case."""
        return self.patients.get(case) or self.challenge.patient_of(case)


def read_inputs(request: TuneRequest) -> Inputs:
    """Read the submission, its probabilities and the reference labels.

    A case with a missing or unreadable file is left out with a notice. Raises UsageError if no case is left,
    if the probabilities do not belong to the submission, and if there is nothing to search.
    """
    if request.runs:
        return _read_runs(request)
    if request.probabilities is None or request.reference is None:
        raise UsageError("no probabilities or no references", expected="--probabilities and --ref, or --run")
    folder, notices = request.probabilities, list[str]()
    files_in = SavedProbabilities(folder)
    challenge, submission = _submission(request, request.reference)
    metrics = metrics_of(challenge, request.profile)
    stage = submission.stages[-1] if submission else None
    rules = submission.postprocess if submission else ()
    references = find_maps(request.reference, challenge)
    saved = {case: file for case, file in references.items() if files_in.file(case).is_file()}
    notices += [f"{case}: no saved probabilities" for case in references if case not in saved]
    members = _members(stage, files_in, list(saved), notices) if stage else []
    weights = tuple(tuple(m.weight_for(name) for name in stage.names) for m in members) if stage else ()
    cases: list[TuningCase] = []
    limits = CaseLimits(_floor(rules), margin_of(metrics))
    for case, reference in saved.items():
        files = CaseFiles(
            tuple(files_in.file(case, member) for member in members), reference, files_in.file(case)
        )
        try:
            cases.append(read_case(case, files, weights, limits))
        except CaseError as error:
            notices.append(f"{case}: {error}")
    if not cases:
        raise UsageError(
            "; ".join(["no case to tune on", *notices[:1]]),
            file=folder,
            expected=f"CASE.npz for label maps of {challenge.key} in {request.reference}",
            hint=challenge_hint(request.reference, challenge),
        )
    names, kind = (stage.names, stage.kind) if stage else (cases[0].names, cases[0].kind)
    for case in cases:
        _check_case(case, names, kind, folder)
    known = challenge.regions if kind == "regions" else challenge.labels
    if unknown := [name for name in names if name not in known]:
        found = f"{', '.join(unknown)} of the probabilities"
        raise UsageError(found, file=folder, expected="among " + ", ".join(known))
    if kind == "labels" and not members:
        raise UsageError(
            f"nothing to search: a stage of labels ({', '.join(names)}) without a file of each member",
            file=folder,
            hint="infer --save-probabilities DIR --each-member, then tune --weights SUBMISSION",
        )
    space = build_search_space(rules, names, kind, [member.file for member in members], cases[0].weights)
    notices += _few_patients({challenge.patient_of(case.name) for case in cases})
    return Inputs(challenge, metrics, tuple(rules), space, tuple(cases), tuple(notices))


def _read_runs(request: TuneRequest) -> Inputs:
    """Read the out-of-fold probabilities of training runs, each of them as a member."""
    if request.probabilities or request.reference or request.weights or request.challenge:
        raise UsageError(
            "--run beside --probabilities, --ref, --weights or --challenge", expected="--run alone"
        )
    found = find_out_of_fold(request.runs)
    metrics, notices = metrics_of(found.challenge, request.profile), list(found.notices)
    limits = CaseLimits(_floor(()), margin_of(metrics), found.ignore_value)
    cases: list[TuningCase] = []
    for case, files in found.files.items():
        try:
            cases.append(
                read_case(case, CaseFiles(files, found.references[case], sums=found.sums), (), limits)
            )
        except CaseError as error:
            notices.append(f"{case}: {error}")
    if not cases:
        raise UsageError("; ".join(["no case to tune on", *notices[:1]]), file=request.runs[0])
    names, kind = cases[0].names, cases[0].kind
    for case in cases:
        _check_case(case, names, kind, request.runs[0])
    members = found.runs if len(found.runs) > 1 else ()
    if kind == "labels" and not members:
        found_ = f"nothing to search: a single run of labels ({', '.join(names)})"
        raise UsageError(found_, file=request.runs[0], expected="several runs, or a run of regions")
    space = build_search_space((), names, kind, members, cases[0].weights)
    notices += _few_patients({found.patients[case.name] for case in cases})
    return Inputs(found.challenge, metrics, (), space, tuple(cases), tuple(notices), found.patients)


def _few_patients(patients: Collection[str]) -> list[str]:
    few = f"few patients ({len(patients)}): the gain and its error are rough below {FEW_PATIENTS}"
    return [few] if len(patients) < FEW_PATIENTS else []


def _submission(request: TuneRequest, reference: Path) -> tuple[Challenge, Submission | None]:
    if request.weights is not None:
        loaded = load_for_challenge(request.weights, request.challenge or "auto")
        return loaded.challenge, loaded.submission
    return choose_challenge(reference, reference, request.challenge), None


def _members(
    stage: Stage, files_in: SavedProbabilities, cases: Sequence[str], notices: list[str]
) -> list[Member]:
    """The members whose weights can be searched: every case has a file of each of them."""
    members = list(stage.members)
    why = ""
    if len(members) > 1 and stage.merge == "logits":
        why = f"stage {stage.name} merges logits, and probabilities were saved"
    elif len({Path(member.file).stem for member in members}) < len(members):
        why = "two members have files of the same name"
    elif not all(files_in.file(case, member).is_file() for case in cases for member in members):
        why = "not every case has a file of each member (infer --each-member)"
    if why and len(members) > 1:
        notices.append(f"weights are not tuned: {why}")
    return [] if why or len(members) < 2 else members


def _floor(rules: Sequence[Rule]) -> float:
    """The lowest probability at which any point of the search finds a region."""
    if any(isinstance(rule, Retry) for rule in rules):
        return 0.0
    return min([LOWEST, *thresholds_of(rules).values()])


def _check_case(case: TuningCase, names: Sequence[str], kind: str, folder: Path) -> None:
    """Raise UsageError for channels of another stage, and where other weights than its own merged them."""
    if (list(case.names), case.kind) != (list(names), kind):
        found = f"{case.name} holds {case.kind} {', '.join(case.names)}"
        raise UsageError(found, file=folder, expected=f"{kind} {', '.join(names)}")
    gap = largest_difference(case)
    if gap > SAME_MEAN:
        raise UsageError(
            f"merged probabilities of {case.name} differ by up to {gap:.2g} from its members' mean",
            file=folder,
            expected="files of one run with the weights of submission.yaml",
            hint="save them again with `segcube infer --save-probabilities --each-member`",
        )
