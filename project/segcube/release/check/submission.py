"""Check a submission: what would end a run, and what organisers require."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

from segcube.backends import open_backend
from segcube.core import EnvironmentFault, SegcubeError, resolve_settings
from segcube.release.check.dry_run import dry_run
from segcube.release.check.findings import CheckReport, Finding, FindingCode, error, from_fault, warning
from segcube.release.check.weights import check_graphs, check_weights
from segcube.spec.submission import (
    LoadedSubmission,
    Submission,
    Write,
    check_names,
    exchanged_labels,
    read_challenge,
    read_submission,
)

CARD = "MODEL_CARD.md"


def check_submission(
    folder: Path, device: str = "auto", log: Callable[[str], None] = lambda _: None
) -> CheckReport:
    """Check schema, names, weights and networks of a submission, then do a dry run if there is no error.

    log: receives the progress of the dry run. Raises EnvironmentFault for a device that cannot be used.
    """
    try:
        submission = read_submission(folder)
    except EnvironmentFault as fault:
        return CheckReport("submission", folder, (from_fault(fault, FindingCode.SUBMISSION),))
    findings = [*_document_findings(submission, folder), *_challenge_findings(submission, folder)]
    weights = check_weights(submission, folder)
    findings += [*weights.findings, *check_graphs(submission, folder)]
    facts = weights.facts(submission)
    if not any(finding.level == "error" for finding in findings):
        loaded = LoadedSubmission(submission, folder, read_challenge(submission.challenge, folder))
        backend = open_backend(resolve_settings({"device": device}), loaded, log)
        start = perf_counter()
        findings += dry_run(loaded, backend, log)
        facts.append(f"dry run: {perf_counter() - start:.1f} s on {backend.reason}")
    else:
        facts.append("dry run: skipped because of the errors below")
    findings.sort(key=lambda found: (str(found.file), found.level))
    return CheckReport("submission", folder, tuple(findings), tuple(facts), submission.challenge)


def _document_findings(submission: Submission, folder: Path) -> Iterator[Finding]:
    """Warn about a starter, and about a missing licence, citation or model card."""
    file = folder / "submission.yaml"
    if submission.starter:
        yield warning(FindingCode.STARTER, "a starter, trained on synthetic cases", file=file)
    if submission.licence == "unknown":
        yield warning(FindingCode.LICENCE, "no licence", file=file)
    if submission.citation is None:
        yield warning(FindingCode.CITATION, "no citation", file=file)
    if not (folder / CARD).is_file():
        yield warning(FindingCode.MODEL_CARD, "no model card", file=folder / CARD, hint=f"write {CARD}")


def _challenge_findings(submission: Submission, folder: Path) -> Iterator[Finding]:
    """Report served challenges that are unknown or lack a name that the submission uses."""
    file = folder / "submission.yaml"
    for key in submission.challenge_keys:
        try:
            challenge = read_challenge(key, folder)
            check_names(submission, challenge, file)
        except SegcubeError as fault:
            found = f"for {key}: {fault.found}"
            yield error(FindingCode.CHALLENGE, found, file=file, expected=fault.expected, hint=fault.hint)
            continue
        order = [paint for rule in submission.postprocess if isinstance(rule, Write) for paint in rule.order]
        for label, other in exchanged_labels(order, challenge).items():
            yield warning(FindingCode.WRITE_ORDER, f"for {key}: {label} is written as {other}", file=file)
