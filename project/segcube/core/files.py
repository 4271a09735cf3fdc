"""Atomic writing of files, and scratch folders that are removed even after a killed run."""

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

from segcube.core.errors import EnvironmentFault, UsageError

SCRATCH_PREFIX, SUFFIX = ".segcube-", ".part"
NO_UNNAMED_FILES = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.EXDEV, errno.EPERM)
"""Errors of kernels and file systems without unnamed files (O_TMPFILE), or without a way to link them."""
SCRATCH_NAME = re.compile(rf"{re.escape(SCRATCH_PREFIX)}.*-[0-9a-f]{{32}}")
NAME_LETTERS = 40
"""Of a name in that of its scratch folder: names have at most 255 bytes, and a letter up to 4."""
_in_use: set[Path] = set()
"""Scratch folders of this process."""


def as_path(path: object, what: str) -> Path:
    """Return the path that a caller passed. Raises UsageError, with `what`, for a value that is no path."""
    if isinstance(path, (str, os.PathLike)):
        with contextlib.suppress(ValueError):
            encoded = os.fsencode(path)
            if 0 not in encoded:
                return Path(os.fsdecode(encoded))
    raise UsageError(f"{what} {path!r}", expected="a path, as text or pathlib.Path")


def write_atomic(file: Path, content: bytes) -> None:
    """Write a file atomically, replacing an existing one; parent folders are created.

    The content goes to an unnamed file where the file system supports that, otherwise to a hidden file in the
    same folder; a device or a pipe receives it as it is. Raises EnvironmentFault when the folder is not
    writable or the disk is full.
    """
    # Not the process id: containers that share a folder may have equal ones
    hidden = file.parent / f"{SCRATCH_PREFIX}{uuid4().hex}{SUFFIX}"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_char_device() or file.is_fifo():
            # /dev/null and /dev/stdout receive the content; replacing them would remove the device
            file.write_bytes(content)
            return
        try:
            _write(hidden, file, content)
        except BaseException:
            with contextlib.suppress(OSError):
                hidden.unlink(missing_ok=True)
            raise
        _sync_folder(file.parent)
    except OSError as error:
        is_in_file = isinstance(error, (FileExistsError, NotADirectoryError))
        reason = "a file is in the place of its folder" if is_in_file else error.strerror or error
        raise EnvironmentFault(
            f"cannot be written: {reason}",
            file=file,
            expected="a writable folder with free space",
        ) from error


def remove_partial_files(folder: Path) -> tuple[str, ...]:
    """Remove partial files of killed runs from a folder and return their names, sorted.

    Files that another run is writing are locked, and stay.
    """
    removed: list[str] = []
    for part in folder.glob(f"{SCRATCH_PREFIX}*{SUFFIX}"):
        if part.is_symlink() or not part.is_file():
            continue
        with contextlib.suppress(OSError), part.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()
            removed.append(part.name)
    return tuple(sorted(removed))


def _write(hidden: Path, file: Path, content: bytes) -> None:
    """Write an unnamed file and name it when it is complete; a hidden file where that is not supported."""
    if hasattr(os, "O_TMPFILE"):
        try:
            handle = os.open(hidden.parent, os.O_TMPFILE | os.O_WRONLY, 0o666)
            with os.fdopen(handle, "wb") as opened:
                _fill(opened, content, hidden.parent)
                _link(handle, hidden, file)
                return
        except OSError as error:
            if error.errno not in NO_UNNAMED_FILES:
                raise
    while True:
        with hidden.open("wb") as opened:
            _lock(opened.fileno())
            # Another run may have removed the file before it was locked
            if os.fstat(opened.fileno()).st_nlink:
                _fill(opened, content, hidden.parent)
                hidden.replace(file)
                return


def _link(handle: int, hidden: Path, file: Path) -> None:
    """Give an unnamed file its name, directly where no file of that name exists."""
    content, folder = f"/proc/self/fd/{handle}", os.open(hidden.parent, os.O_RDONLY)
    try:
        # With dst_dir_fd Python calls linkat, which follows the link in /proc; link does not
        os.link(content, file.name, dst_dir_fd=folder)
    except FileExistsError:
        os.link(content, hidden.name, dst_dir_fd=folder)
        hidden.replace(file)
    finally:
        os.close(folder)


def _lock(handle: int) -> None:
    # Keeps other runs from removing it as partial; not every file system has locks
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX)


def _fill(opened: BinaryIO, content: bytes, folder: Path) -> None:
    """Write and sync a file; what root writes belongs to the folder's owner, who can remove it then."""
    _lock(opened.fileno())
    opened.write(content)
    opened.flush()
    os.fsync(opened.fileno())
    if os.geteuid() == 0:
        owner = folder.stat()
        # Not permitted for root without capabilities
        with contextlib.suppress(OSError):
            os.fchown(opened.fileno(), owner.st_uid, owner.st_gid)


def _sync_folder(folder: Path) -> None:
    # Not every file system can sync a folder; the file itself is synced already
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def scratch_folder(parent: Path, name: str) -> Generator[Path, None, None]:
    """Create a hidden folder in `parent` for the duration of a context; it may be renamed to keep it.

    name: its beginning becomes part of the folder's name. `parent` is created, and scratch folders of killed
    runs are removed from it first. Raises OSError when the folder cannot be created.
    """
    parent.mkdir(parents=True, exist_ok=True)
    remove_stale_scratch(parent)
    folder, handle = _create_locked(parent, name)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _in_use.discard(folder)
        os.close(handle)


def remove_stale_scratch(parent: Path) -> None:
    """Remove scratch folders of killed runs; those in use are locked, and stay."""
    # A writable folder may be unreadable
    folders: list[Path] = []
    with contextlib.suppress(OSError):
        folders += parent.iterdir()
    for folder in folders:
        if not SCRATCH_NAME.fullmatch(folder.name) or folder.is_symlink() or not folder.is_dir():
            continue
        # Without locks on the file system flock raises, and the folder stays
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)


def remove_scratch_folders() -> None:
    """Remove the scratch folders of this process, which is about to end."""
    for folder in tuple(_in_use):
        shutil.rmtree(folder, ignore_errors=True)


def _create_locked(parent: Path, name: str) -> tuple[Path, int]:
    """Return a new folder and the handle that holds its lock."""
    while True:
        folder = parent / f"{SCRATCH_PREFIX}{name[:NAME_LETTERS]}-{uuid4().hex}"
        _in_use.add(folder)
        folder.mkdir()
        # Another run may remove the folder before it is locked; then create another one
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            _lock(handle)
            if folder.is_dir():
                return folder, handle
            os.close(handle)
        _in_use.discard(folder)
