"""Hidden folders for what is not finished yet.

They are removed at the end, on SIGTERM, and, where a run was killed, by the next one beside them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

NAME = re.compile(r"\.segcube-.*-[0-9a-f]{32}")
_in_use: set[Path] = set()


@contextmanager
def scratch_folder(parent: Path, name: str) -> Generator[Path, None, None]:
    """A new hidden folder in `parent`, which is made too; it is removed at the end, unless it was moved.

    name: part of the folder's own. Folders that killed runs left in `parent` are removed first. Raises
    OSError when the folder cannot be made.
    """
    parent.mkdir(parents=True, exist_ok=True)
    clear_scratch(parent)
    folder, handle = _make(parent, name)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _in_use.discard(folder)
        os.close(handle)


def clear_scratch(parent: Path) -> None:
    """Remove hidden folders that killed runs left; those that a run still uses are locked, and stay."""
    # A folder that may be written need not be readable
    folders: list[Path] = []
    with contextlib.suppress(OSError):
        folders += parent.iterdir()
    for folder in folders:
        if not NAME.fullmatch(folder.name) or folder.is_symlink() or not folder.is_dir():
            continue
        # Where a file system has no locks, none can be taken, and what is there stays
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)


def remove_scratch() -> None:
    """Remove the folders that this process uses: for a process that is about to end."""
    for folder in tuple(_in_use):
        shutil.rmtree(folder, ignore_errors=True)


def _make(parent: Path, name: str) -> tuple[Path, int]:
    """A locked folder, and the handle that holds its lock."""
    while True:
        folder = parent / f".segcube-{name}-{uuid4().hex}"
        _in_use.add(folder)
        folder.mkdir()
        # Another run may remove the folder before it is locked; it gets a new name then
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
            if folder.is_dir():
                return folder, handle
            os.close(handle)
        _in_use.discard(folder)
