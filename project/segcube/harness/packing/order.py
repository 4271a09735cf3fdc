"""A submission made ready to hand in: checked, packed and, if asked for, built into an image."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from segcube.backends import member_files
from segcube.backends.compile_or_tell import compile_or_tell
from segcube.backends.graphs import read_compiled
from segcube.errors import EnvironmentFault, printable
from segcube.harness.checks import CheckReport
from segcube.harness.packing.build import BuildArguments, build_image
from segcube.harness.packing.orchestrator import Paper
from segcube.harness.packing.pack import Packed, expect_new, pack_submission
from segcube.harness.packing.refuse import refusals
from segcube.harness.trials import find_engine
from segcube.submission import LoadedSubmission, load_for


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
        compile_or_tell(loaded, lambda line: print(printable(line), file=sys.stderr))
