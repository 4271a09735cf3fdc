"""Build the image with one submission inside."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from segcube import __version__
from segcube.errors import EnvironmentFault, UsageError
from segcube.harness.packing.pack import submission_files
from segcube.harness.trials import Engine
from segcube.hosts import DEFAULT_PARAMETERS, ENTRYPOINT
from segcube.submission import load_for

CHECKOUT = ENTRYPOINT.parents[1]
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

    Raises UsageError outside a checkout, and EnvironmentFault when the build fails.
    """
    if not (CHECKOUT / "Dockerfile").is_file():
        raise UsageError("no Dockerfile", file=CHECKOUT, expected="a checkout of segcube")
    submission = load_for(weights).submission
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        _fill(context, weights, submission.name, {member.file for member in submission.members})
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
            f"{engine.program} build ended with {ended}", expected="an image", mend="its output stands above"
        )


def _fill(context: Path, weights: Path, name: str, members: set[str]) -> None:
    """The build's context: the product and one submission, none of the checkout's other folders."""
    for file in SOURCES:
        shutil.copyfile(CHECKOUT / file, context / file)
    shutil.copytree(
        CHECKOUT / "project",
        context / "project",
        ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "*.so"),
    )
    if (CHECKOUT / "wheels").is_dir():
        shutil.copytree(CHECKOUT / "wheels", context / "wheels")
    parameters = context / DEFAULT_PARAMETERS.relative_to(CHECKOUT)
    parameters.parent.mkdir(parents=True)
    shutil.copyfile(DEFAULT_PARAMETERS, parameters)
    (context / "weights" / name).mkdir(parents=True)
    for file_name, file in submission_files(weights, members).items():
        shutil.copyfile(file, context / "weights" / name / file_name)
