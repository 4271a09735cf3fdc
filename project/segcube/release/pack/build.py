"""Build the image with one submission inside."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from segcube import __version__
from segcube.core import EnvironmentFault
from segcube.release.pack.shipped import copy_submissions
from segcube.release.trial.engine import Engine
from segcube.spec.hosts import CARRIED, DEFAULT_PARAMETERS, ENTRYPOINT, PACKAGE, ROOT
from segcube.spec.submission import load_for

SOURCES = ("Dockerfile", "requirements.txt", "pyproject.toml", "setup.py", "README.md", "LICENSE")
"""What the Dockerfile takes from the checkout beside its folders: those of a package that pip builds."""


@dataclass(frozen=True)
class BuildArguments:
    """What a build is told."""

    torch: str = "cuda"
    """cuda or cpu."""
    source: str = "unpublished"
    """URL of the sources, for the image's label."""


def build_image(engine: Engine, image: str, weights: Path, arguments: BuildArguments) -> None:
    """Build `image` with that submission and no other; the engine's output goes to stderr.

    Raises EnvironmentFault when the build fails, or for an install of segcube without the Dockerfile.
    """
    if not (ROOT / "Dockerfile").is_file():
        raise EnvironmentFault("no such file", file=ROOT / "Dockerfile", hint="install segcube again")
    submission = load_for(weights).submission
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        fill_context(context, weights, submission.name)
        given = {
            "SUBMISSION": f"weights/{submission.name}",
            "TORCH": arguments.torch,
            "VERSION": __version__,
            "SOURCE": arguments.source,
        }
        words = [word for name, value in given.items() for word in ("--build-arg", f"{name}={value}")]
        ended = engine.build(image, context, words)
    if ended:
        raise EnvironmentFault(
            f"{engine.program} build ended with {ended}", expected="an image", hint="its output stands above"
        )


def fill_context(context: Path, weights: Path, name: str) -> None:
    """Write what the Dockerfile copies: segcube, and the shipped files of a submission as weights/`name`."""
    for file in (ENTRYPOINT, DEFAULT_PARAMETERS, *(ROOT / source for source in SOURCES)):
        target = context / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    built = shutil.ignore_patterns("__pycache__", "*.so", CARRIED.name)
    shutil.copytree(PACKAGE, context / "project" / PACKAGE.name, ignore=built)
    if (ROOT / "wheels").is_dir():
        shutil.copytree(ROOT / "wheels", context / "wheels")
    copy_submissions(weights, context / "weights" / name)
