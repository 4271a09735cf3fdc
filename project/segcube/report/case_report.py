"""What became of a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # numpy comes with it, a sixth of what `segcube info` takes
    from segcube.types import Notice


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
