"""Files in the places where a run writes: maps of earlier runs, and files of other origin."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from segcube.volumes.origin import is_marked


def discard_stale(file: Path) -> bool:
    """Remove a label map that segcube wrote, if there is one; True if there was. Other files stay."""
    try:
        if not is_marked(file):
            return False
        file.unlink()
    except OSError:
        return False
    return True


def foreign_files(files: Iterable[Path], is_own: Callable[[Path], bool] = is_marked) -> list[Path]:
    """Those of the files that exist and that segcube did not write, so that no run may replace them.

    A link is one of them, wherever it leads. A folder is not, for nothing can replace it by accident, nor is
    an empty file, which has nothing to lose.
    """
    existing = (file for file in files if os.path.lexists(file))
    return [file for file in existing if file.is_symlink() or not (_is_harmless(file) or is_own(file))]


def _is_harmless(file: Path) -> bool:
    return file.is_dir() or (file.is_file() and file.stat().st_size == 0)
