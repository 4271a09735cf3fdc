"""The name of an image, and its build with one submission inside."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from segcube import __version__
from segcube.core import EnvironmentFault
from segcube.release.check.findings import Finding, FindingCode, error
from segcube.release.pack.shipped import copy_submissions
from segcube.release.trial.launch import Engine
from segcube.spec.hosts import DEFAULT_PARAMETERS, ENTRYPOINT, PACKAGE_FOLDER, PROJECT_ROOT, WHEEL_FILES
from segcube.spec.submission import load_for_challenge

SOURCES = ("Dockerfile", "requirements.txt", "pyproject.toml", "setup.py", "README.md", "LICENSE")
"""Files of the checkout that the Dockerfile copies besides folders; pip needs them to build the package."""
PLACEHOLDER = re.compile("changeme|example|image|my|name|placeholder|submission|todo|user|you|your")
"""Words of names that were copied from documentation."""
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
IMAGE_NAME = re.compile(
    rf"(?P<registry>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d+)?/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)(?P<tag>:[\w][\w.-]{{0,127}})?(?P<digest>@sha256:[0-9a-f]{{64}})?"
)


@dataclass(frozen=True)
class BuildArguments:
    """Arguments of the image's build."""

    torch: str = "cuda"
    """cuda or cpu."""
    source: str = "unpublished"
    """URL of the source code, for the image's label."""


def check_image_name(image: str) -> list[Finding]:
    """Report a name of an image that other machines cannot pull, or that is a placeholder."""
    match = IMAGE_NAME.fullmatch(image)
    hint = "use --image REGISTRY/TEAM/NAME:TAG, such as docker.synapse.org/syn123/brats:1"
    if match is None:
        return [
            error(FindingCode.IMAGE_NAME, f"{image!r} is not an image name", expected="lower case", hint=hint)
        ]
    if "/" not in image:
        found = f"{image!r} has no registry or team before its name"
        return [error(FindingCode.IMAGE_NAME, found, expected="a name to pull it by", hint=hint)]
    words = {
        word
        for part in re.split(r"[/:@]", image)
        for word in (part.lower(), re.split(r"[-_.]", part.lower())[0])
    }
    placeholder = sorted(filter(PLACEHOLDER.fullmatch, words))
    if placeholder:
        found = f"{image!r} is a placeholder ({', '.join(placeholder)})"
        return [error(FindingCode.IMAGE_NAME, found, expected="the image that you push", hint=hint)]
    return []


def build_image(engine: Engine, image: str, weights: Path, arguments: BuildArguments) -> None:
    """Build `image` with only the submission `weights`; the output of the build goes to stderr.

    Raises EnvironmentFault when the build fails, or if segcube is installed without its Dockerfile.
    """
    if not (PROJECT_ROOT / "Dockerfile").is_file():
        raise EnvironmentFault("no such file", file=PROJECT_ROOT / "Dockerfile", hint="install segcube again")
    submission = load_for_challenge(weights).submission
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        fill_context(context, weights, submission.name)
        values = {
            "SUBMISSION": f"weights/{submission.name}",
            "TORCH": arguments.torch,
            "VERSION": __version__,
            "SOURCE": arguments.source,
        }
        options = [word for name, value in values.items() for word in ("--build-arg", f"{name}={value}")]
        code = engine.build(image, context, options)
    if code:
        raise EnvironmentFault(
            f"{engine.program} build exited with {code}", expected="an image", hint="see its output above"
        )


def fill_context(context: Path, weights: Path, name: str) -> None:
    """Write the build context: segcube, and the shipped files of a submission as weights/`name`."""
    for file in (ENTRYPOINT, DEFAULT_PARAMETERS, *(PROJECT_ROOT / source for source in SOURCES)):
        target = context / file.relative_to(PROJECT_ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    built = shutil.ignore_patterns("__pycache__", "*.so", WHEEL_FILES.name)
    shutil.copytree(PACKAGE_FOLDER, context / "project" / PACKAGE_FOLDER.name, ignore=built)
    if (PROJECT_ROOT / "wheels").is_dir():
        shutil.copytree(PROJECT_ROOT / "wheels", context / "wheels")
    copy_submissions(weights, context / "weights" / name)
