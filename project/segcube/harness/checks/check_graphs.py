"""Check the compiled graphs of a submission, if it has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from segcube.backends import member_files
from segcube.backends.graphs import read_compiled
from segcube.errors import EnvironmentFault
from segcube.harness.checks.codes import FindingCode
from segcube.harness.checks.findings import Finding, from_fault, warning
from segcube.submission import Submission


def check_graphs(submission: Submission, folder: Path) -> Iterator[Finding]:
    """A graph that is damaged is an error, for the run ends there; members without one are a warning."""
    try:
        compiled = read_compiled(folder).at_hand()
    except EnvironmentFault as fault:
        yield from_fault(fault, FindingCode.GRAPH)
        return
    missing = [m.file.name for m in member_files(submission, folder) if m not in compiled]
    if missing:
        yield warning(
            FindingCode.NOT_COMPILED,
            f"no compiled graph for {', '.join(dict.fromkeys(missing))}",
            file=folder,
            expected="one a member and window, or every run on a CPU compiles anew",
            mend=f"run segcube compile {folder}",
        )
