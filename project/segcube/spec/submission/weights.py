"""Check that files of weights exist, can be read and have their sha256."""

from __future__ import annotations

import hashlib
from pathlib import Path

from segcube.core import EnvironmentFault

DOWNLOAD_AGAIN = "download the file again"


def sha256_of(file: Path) -> str:
    """Return the sha256 of a file, in hexadecimal. Raises EnvironmentFault when it cannot be read."""
    check_file_exists(file)
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise read_error(file, error) from error


def check_file_exists(file: Path, expected: str = "weights as safetensors") -> None:
    """Raise EnvironmentFault unless `file` is a regular file."""
    try:
        regular = file.is_file()
    except OSError as error:
        raise read_error(file, error) from error
    if not regular:
        raise EnvironmentFault("no such file", file=file, expected=expected)


def check_sha256(found: str, expected: str, file: Path, hint: str = DOWNLOAD_AGAIN) -> None:
    """Raise EnvironmentFault unless the sha256 found is the one expected."""
    if found != expected:
        raise EnvironmentFault(f"sha256 {found}", file=file, expected=f"sha256 {expected}", hint=hint)


def read_error(file: Path, error: OSError) -> EnvironmentFault:
    """Return an operating system's error in reading a file as EnvironmentFault."""
    return EnvironmentFault(f"cannot be read: {error.strerror}", file=file)
