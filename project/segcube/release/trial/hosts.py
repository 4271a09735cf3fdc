"""Try hosts: start a submission as each host does, and check what it leaves behind."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segcube.core import EnvironmentFault, SegcubeError, UsageError
from segcube.formats.nifti import read_labels
from segcube.release.check.findings import Finding, FindingCode, error
from segcube.release.check.output import check_output
from segcube.release.trial.launch import Launcher, ProcessResult, find_engine
from segcube.release.trial.trial import Outcome, Trial, Workload, phantom_workloads, prepare, workload_of
from segcube.spec.hosts import BUILT_IN_WEIGHTS, HOSTS, Host, host_names

DEFAULT_IMAGE = "segcube:latest"
TIME_LIMIT_S = 3600.0
LOG_LINES = 12
"""Lines of the log of a failed process that a finding quotes."""


@dataclass(frozen=True)
class HostSelection:
    """Which hosts to try, with which image or submission, on which cases."""

    names: tuple[str, ...] = ()
    """All hosts if empty."""
    image: str | None = None
    """segcube:latest if None."""
    process: bool = False
    """Start the entry point as a child process instead of an image."""
    weights: Path | None = None
    """For a process: a submission or a folder of several; the starters if None."""
    data: Path | None = None
    """The user's cases; synthetic cases if None."""


def try_hosts(
    selection: HostSelection, on_outcome: Callable[[Outcome], None] = lambda _: None
) -> list[Outcome]:
    """Try the selected hosts; on_outcome is called as each ends.

    Raises UsageError for an unknown host and for options that contradict each other, EnvironmentFault without
    a container engine or the image.
    """
    unknown = [name for name in selection.names if name not in host_names()]
    if unknown:
        raise UsageError(f"no host {', '.join(unknown)}", expected="one of " + ", ".join(host_names()))
    hosts = [host for host in HOSTS if not selection.names or host.name in selection.names]
    if selection.process and selection.image:
        raise UsageError("both --process and --image", expected="one of them")
    if selection.weights and not selection.process:
        raise UsageError(
            "--weights with an image", expected="the submission in the image", hint="add --process"
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        launcher, weights = _launcher(selection, folder)
        if selection.data is None:
            workloads = phantom_workloads(weights, folder / "cases")
        else:
            workloads = [workload_of(weights, selection.data.resolve())]
        return check_hosts(hosts, workloads, launcher, on_outcome)


def _launcher(selection: HostSelection, folder: Path) -> tuple[Launcher, Path]:
    """How to start, and the weights that it will run with."""
    if selection.process:
        return Launcher(), selection.weights or BUILT_IN_WEIGHTS
    engine = find_engine()
    if engine is None:
        raise EnvironmentFault(
            "no container engine responds", expected="docker or podman", hint="or use --process"
        )
    image = selection.image or DEFAULT_IMAGE
    weights = folder / "weights"
    engine.copy_weights(image, weights)
    return Launcher(engine, image), weights


def check_hosts(
    hosts: Sequence[Host],
    workloads: Iterable[Workload],
    launcher: Launcher,
    on_outcome: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Try each host with each workload; on_outcome is called as each ends.

    A host passes if the process exits with 0, `check output` finds no error, the inputs are unchanged and the
    labels equal those of the previous hosts.
    """
    outcomes: list[Outcome] = []
    for workload in workloads:
        first_labels: dict[str, np.ndarray] = {}
        for host in hosts:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                outcome = _try_host(host, workload, launcher, Path(folder).resolve(), first_labels)
            outcomes.append(outcome)
            on_outcome(outcome)
    return outcomes


def _try_host(
    host: Host, workload: Workload, launcher: Launcher, folder: Path, first_labels: dict[str, np.ndarray]
) -> Outcome:
    try:
        # The user of the container must be able to enter the mounted folders
        folder.chmod(0o755)
        trial = prepare(host, workload, folder)
        before = _file_states(trial.folder("data"))
        result = launcher.run(trial, folder, TIME_LIMIT_S)
        findings = [*_exit_findings(result), *_input_findings(trial, before)]
        if result.code == 0:
            report = check_output(trial.folder("output"), workload.data, workload.challenge)
            findings += [*report.findings, *_label_findings(trial, first_labels)]
    except (SegcubeError, OSError) as fault:
        return Outcome(host, workload.submission, "not run", why=str(fault))
    errors = [finding for finding in findings if finding.level == "error"]
    why = errors[0].found if errors else ""
    verdict = "failed" if errors else "passed"
    return Outcome(host, workload.submission, verdict, result.seconds, why, tuple(findings))


def _exit_findings(result: ProcessResult) -> list[Finding]:
    if result.code == 0:
        return []
    log = "\n".join(result.log.strip().splitlines()[-LOG_LINES:])
    found = "did not end in time" if result.code is None else f"exit code {result.code}"
    return [error(FindingCode.EXIT, f"{found}; the end of its log:\n{log}")]


def _file_states(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file below a folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(f.relative_to(folder)): (f.stat().st_size, f.stat().st_mtime_ns) for f in files}


def _input_findings(trial: Trial, before: dict[str, tuple[int, int]]) -> list[Finding]:
    after = _file_states(trial.folder("data"))
    changed = sorted({name for name, _ in before.items() ^ after.items()})
    if not changed:
        return []
    found = f"inputs changed: {', '.join(changed)}"
    return [error(FindingCode.INPUT_CHANGED, found)]


def _label_findings(trial: Trial, first_labels: dict[str, np.ndarray]) -> list[Finding]:
    """Report labels that differ from the first host's, which are added to `first_labels`."""
    findings: list[Finding] = []
    for file in sorted(trial.folder("output").glob("*.nii*")):
        labels_xyz = read_labels(file)[0]
        if not np.array_equal(first_labels.setdefault(file.name, labels_xyz), labels_xyz):
            findings.append(
                error(
                    FindingCode.LABELS_DIFFER, f"labels in {file.name} differ from those under the first host"
                )
            )
    return findings
