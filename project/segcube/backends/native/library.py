"""The library of CPU kernels: built for this processor and from these sources.

setup.py runs this file by its path, so it imports nothing of segcube.
"""

from __future__ import annotations

import ctypes
import hashlib
from pathlib import Path

NATIVE = Path(__file__).parent
CPU_INFO = Path("/proc/cpuinfo")
VECTORS = {"avx512": ("avx512f", "avx512dq", "avx512vl", "fma"), "avx2": ("avx2", "fma")}
"""The builds of the library, the fastest first, and the processor flags that each needs."""
REBUILD = "run pip install again"


class NoLibrary(Exception):
    """Why this process has no library of native kernels."""


def load_library(folder: Path = NATIVE, vectors: str | None = None) -> tuple[ctypes.CDLL, str]:
    """Load the fastest build for this processor; returns it with the name of its vectors.

    folder: holds the builds, and their sources in src. vectors: the only build to consider. Raises NoLibrary
    where none was built, the processor lacks the vectors, or the build is of other sources.
    """
    flags = _processor_flags()
    considered = [vectors] if vectors else list(VECTORS)
    names = [name for name in considered if flags.issuperset(VECTORS[name])]
    if not names:
        raise NoLibrary(f"this processor has no {considered[-1].upper()}")
    for name in names:
        file = folder / f"_{name}.so"
        if file.is_file():
            return _load_checked(file, folder / "src"), name
    raise NoLibrary("none were built: install g++ and " + REBUILD)


def _load_checked(file: Path, sources: Path) -> ctypes.CDLL:
    """Load a build whose compiled-in digest is that of the sources: the structs of both sides then agree."""
    try:
        library = ctypes.CDLL(str(file))
        built_from = library.segcube_sources
        built_from.restype = ctypes.c_char_p
        if built_from().decode() == sources_digest(sources):
            return library
    except AttributeError:
        pass
    except OSError as error:
        raise NoLibrary(f"{file.name} cannot be loaded: {REBUILD}") from error
    raise NoLibrary(f"{file.name} was built from other sources: {REBUILD}")


def _processor_flags() -> set[str]:
    try:
        lines = CPU_INFO.read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.split(":")[1].split()) for line in lines if line.startswith("flags")), set())


def source_files(folder: Path) -> list[Path]:
    """The files that the kernels are built from, in a fixed order."""
    return [folder / "cpu.cpp", *sorted((folder / "cpu").glob("*.h"))]


def sources_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of the kernels' sources. Raises OSError."""
    digest = hashlib.sha256()
    for file in source_files(folder):
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()
