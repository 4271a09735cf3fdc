"""What pyproject.toml cannot express: native kernels with a digest of their sources, and files of wheels."""

from __future__ import annotations

import platform
import runpy
import shutil
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
NATIVE = Path("project/segcube/backends/native")
SOURCES = NATIVE / "src"
LIBRARY = runpy.run_path(str(ROOT / NATIVE / "library.py"))
FLAGS = [
    "-std=c++17",
    "-Wall",
    "-Wextra",
    "-O3",
    "-funroll-loops",
    "-fno-tree-loop-distribute-patterns",
    "-mfma",
    "-g0",
]
VECTORS = {"avx2": ["-mavx2"], "avx512": ["-mavx512f", "-mavx512dq", "-mavx512vl"]}
WHEEL_FILES = (
    "Dockerfile",
    "LICENSE",
    "README.md",
    "mlcube/workspace/parameters.yaml",
    "project/mlcube.py",
    "pyproject.toml",
    "requirements.txt",
    "setup.py",
    *(
        f"weights/*-starter/{name}"
        for name in ("MODEL_CARD.md", "*.openvino", "*.safetensors", "openvino.yaml", "submission.yaml")
    ),
)
"""Files of the checkout that `pack`, `check hosts --process` and `infer` without weights need."""


class BuildPackage(build_py):
    """Build the package from its sources only, with files of the checkout in segcube/checkout."""

    def run(self) -> None:
        """Build; editable installs use the checkout itself, and the image needs none of its files."""
        package = Path(self.build_lib) / "segcube"
        if self.editable_mode:
            super().run()
            return
        # Modules and kernels of an earlier build would become part of the wheel
        shutil.rmtree(package, ignore_errors=True)
        super().run()
        if (ROOT / "Dockerfile").is_file():
            for file in (file for pattern in WHEEL_FILES for file in sorted(ROOT.glob(pattern))):
                target = package / "checkout" / file.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)


class BuildKernels(build_ext):
    """Build libraries without Python's API: ctypes loads one file in every version of Python."""

    def get_ext_filename(self, fullname: str) -> str:
        """The file of a library, without the name of an interpreter."""
        return f"{Path(*fullname.split('.'))}.so"


class BuildWheel(bdist_wheel):
    """Build one wheel for every version of Python."""

    def get_tag(self) -> tuple[str, str, str]:
        """The wheel's tag; kernels bind it to a platform only."""
        return "py3", "none", super().get_tag()[2]


def kernels_for(name: str, vectors: list[str]) -> Extension:
    """Native kernels for CPUs with these vectors; optional, as OpenVINO's are used without a compiler."""
    digest = LIBRARY["sources_digest"](ROOT / SOURCES)
    return Extension(
        f"segcube.backends.native._{name}",
        sources=[str(SOURCES / "cpu.cpp")],
        depends=[str(file.relative_to(ROOT)) for file in LIBRARY["source_files"](ROOT / SOURCES)],
        define_macros=[("SEGCUBE_SOURCES", f'"{digest}"')],
        extra_compile_args=[*FLAGS, *vectors],
        extra_link_args=["-pthread"],
        optional=True,
    )


# Elsewhere the package runs without them
HAS_KERNELS = sys.platform == "linux" and platform.machine() == "x86_64"

setup(
    cmdclass={"build_py": BuildPackage, "build_ext": BuildKernels, "bdist_wheel": BuildWheel},
    ext_modules=[kernels_for(name, vectors) for name, vectors in VECTORS.items()] if HAS_KERNELS else [],
)
