"""Weights files by their sha256."""

from __future__ import annotations

import hashlib
from pathlib import Path

from segcube.errors import EnvironmentFault

CHUNK = 1 << 20
FETCH_AGAIN = "fetch the file again"


def sha256_of(file: Path) -> str:
    """The sha256 of a whole file, in hexadecimal.

    Raises EnvironmentFault when it cannot be read.
    """
    expect_file(file)
    digest = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise unreadable(file, error) from error
    return digest.hexdigest()


def expect_file(file: Path, expected: str = "weights as safetensors") -> None:
    """Raise EnvironmentFault where there is no regular file."""
    try:
        regular = file.is_file()
    except OSError as error:
        raise unreadable(file, error) from error
    if not regular:
        raise EnvironmentFault("no such file", file=file, expected=expected)


def expect_sha256(found: str, expected: str, file: Path, mend: str = FETCH_AGAIN) -> None:
    """Raise EnvironmentFault where a file is not the one that was asked for."""
    if found != expected:
        raise EnvironmentFault(f"sha256 {found}", file=file, expected=f"sha256 {expected}", mend=mend)


def unreadable(file: Path, error: OSError) -> EnvironmentFault:
    """What a file's error of the system is told as."""
    return EnvironmentFault(f"cannot be read: {error.strerror}", file=file)
