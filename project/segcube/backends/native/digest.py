"""The digest of the CPU kernels' sources: compiled into them, and compared when they are loaded.

The build runs this file by its path, so it imports nothing of segcube.
"""

from __future__ import annotations

import hashlib
from pathlib import Path


def source_files(folder: Path) -> list[Path]:
    """The files that the CPU kernels are built from, in a fixed order."""
    return [folder / "cpu.cpp", *sorted((folder / "cpu").glob("*.h"))]


def sources_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of the CPU kernels' sources. Raises OSError."""
    digest = hashlib.sha256()
    for file in source_files(folder):
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()
