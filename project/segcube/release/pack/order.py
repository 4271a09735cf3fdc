"""A submission made ready to hand in: checked, packed and, if asked for, built into an image."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from segcube.backends import member_files
from segcube.backends.openvino import compile_if_possible, read_compiled
from segcube.core import EnvironmentFault, printable
from segcube.release.check.findings import CheckReport, Finding, FindingCode, error
from segcube.release.check.submission import check_submission
from segcube.release.pack.build import BuildArguments, build_image
from segcube.release.pack.orchestrator import Paper
from segcube.release.pack.packing import Packed, expect_new, pack_submission
from segcube.release.trial.engine import find_engine
from segcube.spec.submission import LoadedSubmission, load_for, read_submission

PLACEHOLDERS = (
    "changeme",
    "example",
    "image",
    "my",
    "name",
    "placeholder",
    "submission",
    "todo",
    "user",
    "you",
    "your",
)
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
IMAGE_NAME = re.compile(
    rf"(?P<registry>[A-Za-z0-9.-]+(?::\d+)?/)?(?P<path>{_PART}(?:/{_PART})*)(?P<tag>:[\w][\w.-]{{0,127}})?(?P<digest>@sha256:[0-9a-f]{{64}})?"
)


def refusals(weights: Path, image: str, *, device: str = "auto") -> CheckReport:
    """Check a submission and an image's name for handing in; a starter and a placeholder name are errors."""
    report = check_submission(weights, device)
    findings = [*image_findings(image), *report.findings]
    if not report.errors and read_submission(weights).starter:
        findings = [f for f in findings if f.code is not FindingCode.STARTER]
        findings.append(
            error(
                FindingCode.STARTER,
                "a starter, trained on made cases",
                file=weights / "submission.yaml",
                expected="a model of your own",
                hint="train one, or bring one with `segcube import`",
            )
        )
    return CheckReport("pack", weights, tuple(findings), report.facts, report.challenge)


def image_findings(image: str) -> list[Finding]:
    """What is wrong with an image's name; nothing for one that a stranger's machine can pull."""
    found = IMAGE_NAME.fullmatch(image)
    hint = "say --image REGISTRY/TEAM/NAME:TAG, such as docker.synapse.org/syn123/brats:1"
    if found is None:
        return [
            error(FindingCode.IMAGE_NAME, f"{image!r} is no image name", expected="lower case", hint=hint)
        ]
    if "/" not in image:
        told = f"{image!r} has no registry or team before its name"
        return [error(FindingCode.IMAGE_NAME, told, expected="a name that a stranger can pull", hint=hint)]
    words = {
        word
        for part in re.split(r"[/:@]", image)
        for word in (part.lower(), re.split(r"[-_.]", part.lower())[0])
    }
    placeholder = sorted(words & set(PLACEHOLDERS))
    if placeholder:
        told = f"{image!r} is a placeholder ({', '.join(placeholder)})"
        return [error(FindingCode.IMAGE_NAME, told, expected="the image that you push", hint=hint)]
    return []


@dataclass(frozen=True)
class Order:
    """What to pack, and under which names."""

    weights: Path
    image: str
    out: Path | None = None
    """packed/NAME, if None."""
    paper: Paper = field(default_factory=Paper)
    build: BuildArguments | None = None
    device: str = "auto"
    """For the dry run."""


def carry_out(order: Order) -> tuple[CheckReport, Packed | None]:
    """Check and pack a submission; nothing is packed when the check has errors.

    Raises EnvironmentFault when an image is to be built and no engine answers, and UsageError when the folder
    is there already, both before the check. The image is built first: a build that fails leaves no folder.
    """
    out = order.out or Path("packed") / order.weights.resolve().name
    expect_new(out)
    engine = find_engine() if order.build else None
    if order.build and engine is None:
        raise EnvironmentFault("no container engine answers", expected="docker or podman")
    report = refusals(order.weights, order.image, device=order.device)
    if report.errors:
        return report, None
    _compile_where_missing(load_for(order.weights))
    if engine is not None and order.build is not None:
        build_image(engine, order.image, order.weights, order.build)
    return report, pack_submission(order.weights, order.image, out, order.paper)


def _compile_where_missing(loaded: LoadedSubmission) -> None:
    """Compile beside the weights what has no graph there: a host's own copy can be changed no more."""
    compiled = read_compiled(loaded.folder)
    if any(member not in compiled for member in member_files(loaded.submission, loaded.folder)):
        compile_if_possible(loaded, lambda line: print(printable(line), file=sys.stderr))
