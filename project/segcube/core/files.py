"""Files written whole or not at all, and scratch folders that a stopped run does not leave behind."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from segcube.core.errors import EnvironmentFault

PREFIX, SUFFIX = ".segcube-", ".part"
NO_NAMELESS = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.EXDEV, errno.EPERM)
"""What file systems and kernels say that know no files without a name, or cannot give them one later."""


def write_whole(file: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all; one that is there is replaced.

    The bytes go to a file without a name where the file system has those, else to a hidden one in the same
    folder. Raises EnvironmentFault when the folder cannot be written or the disk is full.
    """
    # Containers share process numbers, so those cannot tell two runs apart
    hidden = file.parent / f"{PREFIX}{uuid4().hex}{SUFFIX}"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            if not _write_nameless(hidden, file, content):
                _write_named(hidden, file, content)
        except BaseException:
            with contextlib.suppress(OSError):
                hidden.unlink(missing_ok=True)
            raise
        _sync_folder(file.parent)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot be written: {error.strerror or error}",
            file=file,
            expected="a folder with room that this user may write",
        ) from error


def clear_leftovers(folder: Path) -> tuple[str, ...]:
    """Remove parts that killed runs left in a folder; those that another run is writing stay."""
    cleared: list[str] = []
    for part in folder.glob(f"{PREFIX}*{SUFFIX}"):
        if part.is_symlink() or not part.is_file():
            continue
        with contextlib.suppress(OSError), part.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()
            cleared.append(part.name)
    return tuple(sorted(cleared))


def _write_nameless(hidden: Path, file: Path, content: bytes) -> bool:
    """Write a file that has no name until it is whole; False where that cannot be."""
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None:
        return False
    try:
        handle = os.open(hidden.parent, flag | os.O_WRONLY, 0o666)
    except OSError as error:
        if error.errno in NO_NAMELESS:
            return False
        raise
    with os.fdopen(handle, "wb") as opened:
        _lock(opened)
        _fill(opened, content)
        _give_to_owner(opened, hidden.parent)
        return _name(handle, hidden, file)


def _name(handle: int, hidden: Path, file: Path) -> bool:
    """Name a nameless file: at once where the name is free, so that nothing else is ever seen there."""
    content, folder = f"/proc/self/fd/{handle}", os.open(hidden.parent, os.O_RDONLY)
    try:
        try:
            # A folder's handle makes Python call linkat, which alone follows the link in /proc
            os.link(content, file.name, dst_dir_fd=folder)
        except FileExistsError:
            os.link(content, hidden.name, dst_dir_fd=folder)
            hidden.replace(file)
    except OSError as error:
        if error.errno in NO_NAMELESS:
            return False
        raise
    finally:
        os.close(folder)
    return True


def _write_named(hidden: Path, file: Path, content: bytes) -> None:
    while True:
        with hidden.open("wb") as opened:
            _lock(opened)
            # Another run may have cleared the part before it was locked
            if os.fstat(opened.fileno()).st_nlink:
                _fill(opened, content)
                _give_to_owner(opened, hidden.parent)
                hidden.replace(file)
                return


def _lock(opened: BinaryIO) -> None:
    # The lock tells `clear_leftovers` that this part is alive; not every file system has locks
    with contextlib.suppress(OSError):
        fcntl.flock(opened, fcntl.LOCK_EX)


def _fill(opened: BinaryIO, content: bytes) -> None:
    opened.write(content)
    opened.flush()
    os.fsync(opened.fileno())


def _give_to_owner(opened: BinaryIO, folder: Path) -> None:
    """Let a file that root writes belong to the folder's owner, who could not remove root's."""
    if os.geteuid() == 0:
        owner = folder.stat()
        # Without its capabilities, not even root may
        with contextlib.suppress(OSError):
            os.fchown(opened.fileno(), owner.st_uid, owner.st_gid)


def _sync_folder(folder: Path) -> None:
    # Not every file system lets a folder be synced; the file itself is safe already
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


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
