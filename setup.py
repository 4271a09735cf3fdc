"""What pyproject.toml cannot express: the kernels' digest, and the checkout's files that a wheel carries."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
NATIVE = Path("project/segcube/backends/native")
SOURCES = NATIVE / "src"
DIGEST = runpy.run_path(str(ROOT / NATIVE / "digest.py"))
FLAGS = ["-std=c++17", "-O3", "-funroll-loops", "-fno-tree-loop-distribute-patterns", "-mfma"]
VECTORS = {"avx2": ["-mavx2"], "avx512": ["-mavx512f", "-mavx512dq", "-mavx512vl"]}
CARRIED = (
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
"""What `pack`, `check hosts --process` and an `infer` without weights take from the checkout."""


class BuildPackage(build_py):
    """Build the package from its sources alone, with the checkout's files in segcube/checkout."""

    def run(self) -> None:
        """Build; an editable install finds the checkout itself, and the image needs none of it."""
        package = Path(self.build_lib) / "segcube"
        if self.editable_mode:
            super().run()
            return
        # An earlier build's modules and kernels would be taken into the wheel
        shutil.rmtree(package, ignore_errors=True)
        super().run()
        if (ROOT / "Dockerfile").is_file():
            for file in (file for pattern in CARRIED for file in sorted(ROOT.glob(pattern))):
                target = package / "checkout" / file.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)


def kernels_for(name: str, vectors: list[str]) -> Extension:
    """Our own kernels for a CPU with these vectors; without a compiler, OpenVINO's serve instead."""
    digest = DIGEST["sources_digest"](ROOT / SOURCES)
    return Extension(
        f"segcube.backends.native.src._{name}",
        sources=[str(SOURCES / "cpu.cpp")],
        depends=[str(file.relative_to(ROOT)) for file in DIGEST["source_files"](ROOT / SOURCES)],
        define_macros=[("SEGCUBE_SOURCES", f'"{digest}"')],
        extra_compile_args=[*FLAGS, *vectors],
        extra_link_args=["-pthread"],
        optional=True,
    )


setup(
    cmdclass={"build_py": BuildPackage},
    ext_modules=[kernels_for(name, vectors) for name, vectors in VECTORS.items()],
)
