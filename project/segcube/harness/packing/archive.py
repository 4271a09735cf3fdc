"""Archives that are the same bytes for the same files."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Mapping
from pathlib import Path

LEVEL = 1
"""Weights hardly shrink."""


def write_archive(files: Mapping[str, Path], archive: Path) -> None:
    """Write a .tar.gz of files under the given names, at its root; owners and times are left out."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", LEVEL, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name, file in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = file.stat().st_size
            entry.mode = 0o644
            with file.open("rb") as opened:
                tar.addfile(entry, opened)
