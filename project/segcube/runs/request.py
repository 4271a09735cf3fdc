"""What a run was asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from segcube.predict import Keep
from segcube.settings import RunSettings


@dataclass(frozen=True)
class Request:
    """Folders and files of a run, and how to run it."""

    data: Path
    output: Path
    weights: Path | None = None
    settings: RunSettings = field(default_factory=RunSettings)
    report: Path | None = None
    keep: Keep | None = None
    """Which probabilities are saved, and where."""
    quiet: bool = False
