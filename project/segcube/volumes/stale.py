"""Files in the places where a run writes: maps of earlier runs, and files of other origin."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from segcube.errors import UsageError
from segcube.volumes.origin import is_own_map

BEGINNING = 2**14


def discard_stale(file: Path) -> bool:
    """Remove a label map that segcube wrote, if there is one; True if there was. Other files stay."""
    try:
        if not is_own_map(file):
            return False
        file.unlink()
    except OSError:
        return False
    return True


def foreign_files(files: Iterable[Path], is_own: Callable[[Path], bool] = is_own_map) -> list[Path]:
    """Those of the files that exist and that segcube did not write, so that no run may replace them.

    A link is one of them, wherever it leads. A folder is not, for nothing can replace it by accident, nor is
    an empty file, which has nothing to lose.
    """
    existing = (file for file in files if os.path.lexists(file))
    return [file for file in existing if file.is_symlink() or not (_is_harmless(file) or is_own(file))]


def expect_replaceable(file: Path | None, kind: str, marks: Sequence[bytes]) -> None:
    """Raise UsageError for a file that exists and is not of the kind that would replace it.

    marks: what stands near the beginning of each file of that kind. No file, an empty one and what is no
    plain file, such as a terminal, pass.
    """
    if file is None or not file.is_file() or file.stat().st_size == 0:
        return
    with file.open("rb") as opened:
        beginning = opened.read(BEGINNING)
    if not all(mark in beginning for mark in marks):
        raise UsageError(
            f"is there already, and is not {kind}", file=file, expected="a new file, or one to replace"
        )


def _is_harmless(file: Path) -> bool:
    return file.is_dir() or (file.is_file() and file.stat().st_size == 0)
