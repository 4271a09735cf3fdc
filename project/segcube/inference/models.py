"""A submission's networks on a device, stepping down when its memory does not do."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeVar

from segcube.backends import Backend, DeviceMemoryError, branch_files, cpu_instead
from segcube.core import CaseError, Code, EnvironmentFault, UsageError
from segcube.inference.ensemble import WeightedMember, voices_of
from segcube.inference.workspace import Workspace, ladder
from segcube.spec.submission import Branch, LoadedSubmission, Stage

T = TypeVar("T")
Log = Callable[[str], None]


@dataclass
class Models:
    """The submission, its backend, and the workspace that cases fit into so far."""

    loaded: LoadedSubmission
    backend: Backend
    flips: bool
    log: Log
    _rungs: list[Workspace] = field(init=False)
    _lock: Lock = field(default_factory=Lock, init=False)
    _process: int = field(default_factory=os.getpid, init=False)

    def __post_init__(self) -> None:
        self._rungs = list(ladder(self.backend))

    @contextmanager
    def reserved(self) -> Generator[None, None, None]:
        """Reserve the networks for one thread; others wait.

        A network's input, output and working memory belong to one case at a time. Raises UsageError in a
        process that was forked after the networks were loaded, which does not have their threads.
        """
        if os.getpid() != self._process:
            raise UsageError(
                "the submission was loaded before this process was forked",
                file=self.loaded.folder,
                hint="load it in the process that predicts",
            )
        with self._lock:
            yield

    def load_all(self) -> None:
        """Read and check every member now, so that a broken one ends the run before its first case.

        Raises EnvironmentFault.
        """
        submission = self.loaded.submission
        try:
            for stage in submission.stages:
                for branch in stage.branches:
                    self.run(lambda space, at=(stage, branch): self.voices(*at, space.backend))
        except CaseError as error:
            raise EnvironmentFault(
                f"too little memory for the weights: {error.found}",
                file=self.loaded.folder,
                hint="give the run more memory",
            ) from error

    def voices(
        self, stage: Stage, branch: Branch, backend: Backend, apart: bool = False
    ) -> list[WeightedMember]:
        """The networks that speak for a branch's members; apart: one a member, in their order."""
        files = branch_files(stage, branch, self.loaded.submission, self.loaded.folder)
        return voices_of(stage, branch, files, backend, apart)

    def run(self, task: Callable[[Workspace], T]) -> T:
        """Run a task where it fits: smaller batches, then sums on the host, then the CPU, each said aloud.

        Later cases begin where this one ended. Raises CaseError MEMORY when nothing is left to try.
        """
        while True:
            space = self._rungs[0]
            try:
                return task(space)
            except (DeviceMemoryError, MemoryError) as error:
                first_line = (str(error).strip() or "out of memory").splitlines()[0]
            space.backend.release()
            self._step_down(first_line)

    def _step_down(self, why: str) -> None:
        tried = self._rungs.pop(0)
        if not self._rungs and tried.backend.device != "cpu":
            self._rungs = [Workspace(cpu_instead())]
        if not self._rungs:
            self._rungs = [tried]
            raise CaseError(
                Code.MEMORY, why, expected="more memory", hint="give the run more memory or fewer flips"
            )
        self.log(f"too little memory for {tried}: {why}; now {self._rungs[0]}")
