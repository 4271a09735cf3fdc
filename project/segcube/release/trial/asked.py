"""What `segcube check hosts` was asked for, made ready and run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from segcube.core import EnvironmentFault, UsageError
from segcube.release.trial.engine import find_engine
from segcube.release.trial.rounds import Start, check_hosts
from segcube.release.trial.trial import Outcome, Subject, given_subject, made_subjects
from segcube.spec.hosts import BAKED, HOSTS, Host, host_names

DEFAULT_IMAGE = "segcube:latest"


@dataclass(frozen=True)
class Trials:
    """Which hosts to try, with which image or submission, on which cases."""

    names: tuple[str, ...] = ()
    """All hosts, if empty."""
    image: str | None = None
    process: bool = False
    """The entrypoint as a child process, in place of an image."""
    weights: Path | None = None
    """For a process: a submission or a folder of some; the checkout's own, if None."""
    data: Path | None = None
    """Cases of the user's; made ones, if None."""


def try_hosts(trials: Trials, told: Callable[[Outcome], None] = lambda _: None) -> list[Outcome]:
    """Try the hosts that were asked for; told as each ends.

    Raises UsageError for an unknown host or options that contradict each other, and EnvironmentFault where no
    engine answers or the image is not there.
    """
    hosts = _named(trials.names)
    if trials.process and trials.image:
        raise UsageError("both --process and --image", expected="one of them")
    if trials.weights and not trials.process:
        raise UsageError("--weights with an image", expected="the submission inside", hint="see --process")
    with tempfile.TemporaryDirectory() as folder:
        start, weights = _start(trials, Path(folder))
        return check_hosts(hosts, _subjects(trials, weights, Path(folder)), start, told)


def _named(names: tuple[str, ...]) -> list[Host]:
    unknown = [name for name in names if name not in host_names()]
    if unknown:
        raise UsageError(f"no host {', '.join(unknown)}", expected="one of " + ", ".join(host_names()))
    return [host for host in HOSTS if not names or host.name in names]


def _start(trials: Trials, folder: Path) -> tuple[Start, Path]:
    """How to start, and the weights that will serve."""
    if trials.process:
        return Start(), trials.weights or BAKED
    engine = find_engine()
    if engine is None:
        raise EnvironmentFault(
            "no container engine answers", expected="docker or podman", hint="or say --process"
        )
    image = trials.image or DEFAULT_IMAGE
    weights = folder / "weights"
    engine.copy_weights(image, weights)
    return Start(engine, image), weights


def _subjects(trials: Trials, weights: Path, folder: Path) -> list[Subject]:
    if trials.data is not None:
        return [given_subject(weights, trials.data.resolve())]
    return made_subjects(weights, folder / "cases")
