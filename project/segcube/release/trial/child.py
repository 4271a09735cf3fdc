"""The entrypoint as a child process, with the arguments and folders that a host would give it."""

from __future__ import annotations

from pathlib import Path

from segcube.core import EnvironmentFault, python_command, python_environment
from segcube.release.trial.engine import Ended, run_to_end
from segcube.release.trial.trial import Trial
from segcube.spec.hosts import ENTRYPOINT, UNDER

UNPROVED = "the image, its user, read-only mounts, network, shared memory and the limit of memory"
"""What a process cannot prove."""


def run_child(trial: Trial, root: Path, limit_s: float) -> Ended:
    """Start the entrypoint with a host's arguments; `root` stands for the container's own.

    Raises EnvironmentFault for an install of segcube without the entrypoint.
    """
    if not ENTRYPOINT.is_file():
        raise EnvironmentFault("no such file", file=ENTRYPOINT, hint="install segcube again")
    for mount in trial.host.mounts:
        place = root / mount.target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(trial.sources[mount.target])
    words = [_below(root, word, trial) for word in trial.host.command]
    entrypoint = python_command(str(ENTRYPOINT), *words)
    return run_to_end(entrypoint, limit_s, folder=root, env=_environment(trial, root))


def _below(root: Path, word: str, trial: Trial) -> str:
    """A word of the command with the container's paths put below `root`."""
    name, equals, value = word.rpartition("=")
    if any(value == m.target or value.startswith(m.target + "/") for m in trial.host.mounts):
        return f"{name}{equals}{root}{value}"
    return word


def _environment(trial: Trial, root: Path) -> dict[str, str]:
    kept = {name: value for name, value in python_environment().items() if not name.startswith("SEGCUBE_")}
    for name in ("HOME", "USER", "LOGNAME"):
        kept.pop(name, None)
    temporary = next((m for m in trial.host.mounts if m.content == "temporary"), None)
    if temporary is not None:
        kept["TMPDIR"] = str(trial.sources[temporary.target])
    return kept | {UNDER: str(root)}
