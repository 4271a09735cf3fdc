"""What is not packed: starters, unsound submissions, images that nobody can pull."""

from __future__ import annotations

import re
from pathlib import Path

from segcube.harness.checks import CheckReport, Finding, FindingCode, error
from segcube.harness.checks.check_submission import check_submission
from segcube.submission import read_submission

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
                mend="train one, or bring one with `segcube import`",
            )
        )
    return CheckReport("pack", weights, tuple(findings), report.facts, report.challenge)


def image_findings(image: str) -> list[Finding]:
    """What is wrong with an image's name; nothing for one that a stranger's machine can pull."""
    found = IMAGE_NAME.fullmatch(image)
    mend = "say --image REGISTRY/TEAM/NAME:TAG, such as docker.synapse.org/syn123/brats:1"
    if found is None:
        return [
            error(FindingCode.IMAGE_NAME, f"{image!r} is no image name", expected="lower case", mend=mend)
        ]
    if "/" not in image:
        told = f"{image!r} has no registry or team before its name"
        return [error(FindingCode.IMAGE_NAME, told, expected="a name that a stranger can pull", mend=mend)]
    words = {
        word
        for part in re.split(r"[/:@]", image)
        for word in (part.lower(), re.split(r"[-_.]", part.lower())[0])
    }
    placeholder = sorted(words & set(PLACEHOLDERS))
    if placeholder:
        told = f"{image!r} is a placeholder ({', '.join(placeholder)})"
        return [error(FindingCode.IMAGE_NAME, told, expected="the image that you push", mend=mend)]
    return []
