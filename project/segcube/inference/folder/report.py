"""What a run reports: a case each, and the run."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from segcube.spec.submission import LoadedSubmission

if TYPE_CHECKING:
    # numpy comes with it, a sixth of what `segcube info` takes
    from segcube.core import Notice


@dataclass(frozen=True)
class CaseReport:
    """A case's line in the run report."""

    case: str
    status: str
    """done, kept (resumed), empty (a background map in place of a failed case) or failed."""
    code: str | None = None
    message: str = ""
    notices: tuple[Notice, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    voxels: Mapping[str, int] = field(default_factory=dict)
    """Voxels of each label, by name."""
    millilitres: Mapping[str, float] = field(default_factory=dict)
    output: str | None = None


OnCase = Callable[[CaseReport, int, int], None]
"""Receives the report of a finished case, how many cases are finished, and how many there are."""

LIBRARIES = (
    "segcube",
    "openvino",
    "torch",
    "monai",
    "numpy",
    "scipy",
    "nibabel",
    "safetensors",
)


@dataclass(frozen=True)
class DeviceReport:
    """Where a run computed, and why there."""

    backend: str
    device: str
    precision: str
    reason: str


@dataclass
class RunReport:
    """Everything about a run; grows by a case at a time."""

    submission: str
    starter: bool
    challenge: str
    settings: Mapping[str, Any]
    device: DeviceReport
    weights: Mapping[str, str]
    """sha256 of each weights file."""
    versions: Mapping[str, str]
    cases: list[CaseReport] = field(default_factory=list)
    ended: str = "running"
    """running, done, terminated or failed."""

    def as_json(self) -> bytes:
        """The report as indented JSON, UTF-8; bytes of a path that are no text stand as JSON's escapes."""
        return (json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n").encode(
            errors="backslashreplace"
        )


def start_report(loaded: LoadedSubmission, settings: Mapping[str, Any], device: DeviceReport) -> RunReport:
    """The report of a run before its first case."""
    submission = loaded.submission
    return RunReport(
        submission=submission.name,
        starter=submission.starter,
        challenge=loaded.challenge.key,
        settings=settings,
        device=device,
        weights={member.file: member.sha256 for member in submission.members},
        versions={"python": platform.python_version()} | library_versions(),
    )


def library_versions() -> dict[str, str]:
    """Versions of the libraries whose numbers matter; those that are absent are left out."""
    found: dict[str, str] = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
