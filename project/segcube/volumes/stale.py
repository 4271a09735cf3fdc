"""Maps of earlier runs that no longer hold."""

from __future__ import annotations

from pathlib import Path

from segcube.errors import CaseError
from segcube.volumes.nifti import read_header_of
from segcube.volumes.origin import MAKER


def discard_stale(file: Path) -> bool:
    """Remove a map of segcube's making, if there is one; True if there was. Other files stay."""
    try:
        header = read_header_of(file)
        if not header.description.startswith(MAKER):
            return False
        file.unlink()
    except (CaseError, OSError):
        return False
    return True
