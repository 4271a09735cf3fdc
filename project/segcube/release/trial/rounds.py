"""Try hosts one after another, and check what each leaves behind."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segcube.core import SegcubeError
from segcube.formats.nifti import read_labels
from segcube.release.check.findings import Finding, FindingCode, error
from segcube.release.check.output import check_output
from segcube.release.trial.child import run_child
from segcube.release.trial.engine import Ended, Engine
from segcube.release.trial.trial import Outcome, Subject, Trial, prepare
from segcube.spec.hosts import Host

LIMIT_S = 3600.0
LOG_LINES = 12


@dataclass(frozen=True)
class Start:
    """How an image is started: in an engine, or as a child process where there is no image."""

    engine: Engine | None = None
    image: str = ""

    def run(self, trial: Trial, folder: Path) -> Ended:
        """Start and wait."""
        if self.engine is None:
            return run_child(trial, folder / "root", LIMIT_S)
        return self.engine.run(self.image, trial, LIMIT_S)


def check_hosts(
    hosts: Sequence[Host],
    subjects: Iterable[Subject],
    start: Start,
    told: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Try each host with each subject; told as each ends.

    A host passes when the process exits with 0, `check output` finds no error, the inputs are as they were
    and the labels equal those of the hosts before.
    """
    outcomes: list[Outcome] = []
    for subject in subjects:
        first: dict[str, np.ndarray] = {}
        for host in hosts:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                outcome = _try(host, subject, start, Path(folder).resolve(), first)
            outcomes.append(outcome)
            told(outcome)
    return outcomes


def _try(host: Host, subject: Subject, start: Start, folder: Path, first: dict[str, np.ndarray]) -> Outcome:
    try:
        # Hosts' users have to reach the mounted folders below it
        folder.chmod(0o755)
        trial = prepare(host, subject, folder)
        before = _listing(trial.folder("data"))
        ended = start.run(trial, folder)
        findings = [*_exit_findings(ended), *_input_findings(trial, before)]
        if ended.code == 0:
            report = check_output(trial.folder("output"), subject.data, subject.challenge)
            findings += [*report.findings, *_label_findings(trial, first)]
    except (SegcubeError, OSError) as fault:
        return Outcome(host, subject.submission, "not run", why=str(fault))
    failed = [finding for finding in findings if finding.level == "error"]
    why = failed[0].found if failed else ""
    verdict = "failed" if failed else "passed"
    return Outcome(host, subject.submission, verdict, ended.seconds, why, tuple(findings))


def _exit_findings(ended: Ended) -> list[Finding]:
    if ended.code == 0:
        return []
    log = "\n".join(ended.log.strip().splitlines()[-LOG_LINES:])
    found = "did not end in time" if ended.code is None else f"exit code {ended.code}"
    return [error(FindingCode.EXIT, f"{found}; it said last:\n{log}", expected="exit code 0")]


def _listing(folder: Path) -> dict[str, tuple[int, int]]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(f.relative_to(folder)): (f.stat().st_size, f.stat().st_mtime_ns) for f in files}


def _input_findings(trial: Trial, before: dict[str, tuple[int, int]]) -> list[Finding]:
    after = _listing(trial.folder("data"))
    changed = sorted({name for name, _ in before.items() ^ after.items()})
    if not changed:
        return []
    return [
        error(FindingCode.INPUT_CHANGED, f"inputs changed: {', '.join(changed)}", expected="no writing there")
    ]


def _label_findings(trial: Trial, first: dict[str, np.ndarray]) -> list[Finding]:
    """Labels that differ from those of the hosts before; the first host's are kept."""
    findings: list[Finding] = []
    for file in sorted(trial.folder("output").glob("*.nii*")):
        labels_xyz = read_labels(file)[0]
        if not np.array_equal(first.setdefault(file.name, labels_xyz), labels_xyz):
            findings.append(
                error(
                    FindingCode.LABELS_DIFFER,
                    f"other labels in {file.name} than under the first host",
                    expected="the same labels under every host",
                )
            )
    return findings
