"""The library of our own CPU kernels: built for this interpreter, this processor and from these sources."""

from __future__ import annotations

import ctypes
import sysconfig
from pathlib import Path

from segcube.backends.native.digest import sources_digest

KERNELS = Path(__file__).parent / "src"
CPU_INFO = Path("/proc/cpuinfo")
WIDTHS = {"avx512": ("avx512f", "avx512dq", "avx512vl", "fma"), "avx2": ("avx2", "fma")}
"""Builds of the library, the best first, and what a processor must know for each."""
REBUILD = "run pip install again"


class NoLibrary(Exception):
    """Why this process has no library of our own kernels."""


def load_library(folder: Path = KERNELS) -> tuple[ctypes.CDLL, str]:
    """The best build for this processor, and the name of its vectors.

    folder: the sources, with the builds beside them. Raises NoLibrary where none was built for this
    interpreter, the processor lacks the vectors, or the build is of other sources.
    """
    flags = _processor_flags()
    names = [name for name, needed in WIDTHS.items() if flags.issuperset(needed)]
    if not names:
        raise NoLibrary("this processor has no AVX2")
    # A file of another Python may lie beside ours, and may be of other sources
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    for name in names:
        file = folder / f"_{name}{suffix}"
        if file.is_file():
            return _of_these_sources(file, folder), name
    raise NoLibrary("none were built for this Python: install g++ and " + REBUILD)


def _of_these_sources(file: Path, folder: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(file))
        built_from = library.segcube_sources
        built_from.restype = ctypes.c_char_p
        if built_from().decode() == sources_digest(folder):
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
