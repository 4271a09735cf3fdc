"""What a run was asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from segcube.settings import RunSettings


@dataclass(frozen=True)
class Request:
    """Folders and files of a run, and how to run it."""

    data: Path
    output: Path
    weights: Path | None = None
    settings: RunSettings = field(default_factory=RunSettings)
    report: Path | None = None
    probabilities: Path | None = None
    """Folder for the last stage's probabilities."""
    each_member: bool = False
    """A file of probabilities a member as well."""
    quiet: bool = False
