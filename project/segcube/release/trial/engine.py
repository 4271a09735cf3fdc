"""Container engines: Docker or Podman, started as a host starts them."""

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

from segcube.core import EnvironmentFault
from segcube.release.trial.trial import Trial, user_of


@dataclass(frozen=True)
class Ended:
    """How a started process ended."""

    code: int | None
    """None: it was stopped after its time."""
    log: str
    """What it said, on stdout and stderr."""
    seconds: float


def run_to_end(
    words: Sequence[str], limit_s: float, *, folder: Path | None = None, env: Mapping[str, str] | None = None
) -> Ended:
    """Start a command and wait; one that outlasts its limit is killed."""
    begun = time.monotonic()
    try:
        ended = subprocess.run(
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
        said = expired.output or b""
        log = said if isinstance(said, str) else said.decode(errors="replace")
        return Ended(None, log, time.monotonic() - begun)
    return Ended(ended.returncode, ended.stdout, time.monotonic() - begun)


ENGINES = ("docker", "podman")
BAKED_IN = "/app/weights"
"""Where the Dockerfile puts the submission."""


@dataclass(frozen=True)
class Engine:
    """A container engine that answers."""

    program: str

    def has(self, image: str) -> bool:
        """Whether an image is on this machine."""
        return self._ask("image", "inspect", image).returncode == 0

    def copy_weights(self, image: str, to: Path) -> None:
        """Copy what was baked into an image.

        Raises EnvironmentFault when the image is not there or holds no weights.
        """
        if not self.has(image):
            raise EnvironmentFault(
                f"no image {image} on this machine",
                expected="one that was built or pulled",
                hint=f"{self.program} build -t {image} .",
            )
        created = self._ask("create", image)
        container = created.stdout.strip()
        try:
            copied = self._ask("cp", f"{container}:{BAKED_IN}", str(to))
        finally:
            self._ask("rm", container)
        if copied.returncode:
            raise EnvironmentFault(f"image {image} has no {BAKED_IN}", expected="an image of this Dockerfile")

    def build(self, image: str, context: Path, options: list[str]) -> int:
        """Build an image from a folder, its output on stderr; returns the exit code."""
        words = [self.program, "build", "--tag", image, *options, str(context)]
        return subprocess.run(words, stdout=sys.stderr, check=False).returncode

    def arguments(self, image: str, trial: Trial, name: str) -> list[str]:
        """The command line by which a host would start an image."""
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

    def run(self, image: str, trial: Trial, limit_s: float) -> Ended:
        """Start an image as a host does, and wait; one that outlasts its limit is stopped."""
        name = f"segcube-{uuid4().hex[:12]}"
        ended = run_to_end(self.arguments(image, trial, name), limit_s)
        if ended.code is None:
            self._ask("kill", name)
        return ended

    def _ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.program, *words], capture_output=True, text=True, check=False)


def find_engine() -> Engine | None:
    """The first engine on the PATH that answers; None where there is none."""
    for program in ENGINES:
        if shutil.which(program) is None:
            continue
        answer = subprocess.run([program, "info"], capture_output=True, check=False, timeout=60)
        if answer.returncode == 0:
            return Engine(program)
    return None
