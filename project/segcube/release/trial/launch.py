"""Start an image as a host does: with Docker or Podman, or its entry point as a child process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from segcube.core import EnvironmentFault, python_command, python_environment
from segcube.release.trial.trial import Trial, user_of
from segcube.spec.hosts import ENTRYPOINT, MOUNTS_UNDER_VARIABLE


@dataclass(frozen=True)
class ProcessResult:
    """How a process ended."""

    code: int | None
    """None if it was stopped at the time limit."""
    log: str
    """Its stdout and stderr."""
    seconds: float


def run_to_end(
    words: Sequence[str], limit_s: float, *, folder: Path | None = None, env: Mapping[str, str] | None = None
) -> ProcessResult:
    """Run a command to its end; kill it at the time limit."""
    start = time.monotonic()
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        output = expired.output or b""
        log = output if isinstance(output, str) else output.decode(errors="replace")
        return ProcessResult(None, log, time.monotonic() - start)
    return ProcessResult(done.returncode, done.stdout, time.monotonic() - start)


ENGINES = ("docker", "podman")
IMAGE_WEIGHTS = "/app/weights"
"""Where the Dockerfile puts the submission."""
NOT_PROVED_BY_PROCESS = "the image, its user, read-only mounts, network, shared memory and the memory limit"
"""What a trial without an image leaves unproved."""


@dataclass(frozen=True)
class Engine:
    """A container engine that responds."""

    program: str

    def has(self, image: str) -> bool:
        """Return whether an image is on this machine."""
        return self._query("image", "inspect", image).returncode == 0

    def copy_weights(self, image: str, to: Path) -> None:
        """Copy the weights out of an image.

        Raises EnvironmentFault if the image does not exist or has no weights.
        """
        if not self.has(image):
            raise EnvironmentFault(
                f"no image {image} on this machine",
                expected="one that was built or pulled",
                hint=f"{self.program} build -t {image} .",
            )
        created = self._query("create", image)
        container = created.stdout.strip()
        try:
            copied = self._query("cp", f"{container}:{IMAGE_WEIGHTS}", str(to))
        finally:
            self._query("rm", container)
        if copied.returncode:
            raise EnvironmentFault(f"no {IMAGE_WEIGHTS} in image {image}", expected="an image of segcube")

    def build(self, image: str, context: Path, options: list[str]) -> int:
        """Build an image from a folder, with the output on stderr; returns the exit code."""
        words = [self.program, "build", "--tag", image, *options, str(context)]
        return subprocess.run(words, stdout=sys.stderr, check=False).returncode

    def arguments(self, image: str, trial: Trial, name: str) -> list[str]:
        """Return the command line with which a host starts an image."""
        host, user = trial.host, user_of(trial.host)
        words = [self.program, "run", "--rm", "--name", name]
        words += [] if host.network else ["--network", "none"]
        words += ["--user", f"{user[0]}:{user[1]}"] if user else []
        if user and self.program == "podman" and os.getuid():
            words += ["--userns", "keep-id"]
        for mount in host.mounts:
            mode = ":ro" if mount.read_only else ""
            words += ["--volume", f"{trial.sources[mount.target]}:{mount.target}{mode}"]
        return [*words, *host.flags, image, *host.command]

    def run(self, image: str, trial: Trial, limit_s: float) -> ProcessResult:
        """Start an image as a host does and wait for its end; stop it at the time limit."""
        name = f"segcube-{uuid4().hex[:12]}"
        result = run_to_end(self.arguments(image, trial, name), limit_s)
        if result.code is None:
            self._query("kill", name)
        return result

    def _query(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.program, *words], capture_output=True, text=True, check=False)


def find_engine() -> Engine | None:
    """Return the first engine on the PATH that responds, or None."""
    for program in ENGINES:
        if shutil.which(program) is None:
            continue
        answer = subprocess.run([program, "info"], capture_output=True, check=False, timeout=60)
        if answer.returncode == 0:
            return Engine(program)
    return None


def run_child(trial: Trial, root: Path, limit_s: float) -> ProcessResult:
    """Run the image's entry point with a host's arguments as a process; `root` replaces the container's root.

    Raises EnvironmentFault if segcube is installed without its entry point.
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
    """Put a path of the container in a word of the command below `root`."""
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
    return kept | {MOUNTS_UNDER_VARIABLE: str(root)}


@dataclass(frozen=True)
class Launcher:
    """Starts an image in an engine, or the entry point as a process if there is no engine."""

    engine: Engine | None = None
    image: str = ""

    def run(self, trial: Trial, folder: Path, limit_s: float) -> ProcessResult:
        """Run a trial to its end. folder: of the trial, for temporary files."""
        if self.engine is None:
            return run_child(trial, folder / "root", limit_s)
        return self.engine.run(self.image, trial, limit_s)
