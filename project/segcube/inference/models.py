"""A submission's networks on a device, and the workspace that its cases fit into."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, get_ident

from segcube.backends import Backend, DeviceMemoryError, cpu_fallback
from segcube.core import LOG, CaseError, Code, EnvironmentFault, UsageError
from segcube.inference.ensemble import WeightedMember, load_members
from segcube.inference.workspace import Workspace, workspaces
from segcube.spec.submission import Branch, LoadedSubmission, Stage, Submission, branch_files

Log = Callable[[str], None]


@dataclass
class Models:
    """A submission, the backend that runs its networks, and the workspaces that are left to try."""

    loaded: LoadedSubmission
    backend: Backend
    mirroring: bool
    log: Log
    _workspaces: list[Workspace] = field(init=False)
    _lock: Lock = field(default_factory=Lock, init=False)
    _process: int = field(default_factory=os.getpid, init=False)
    _owner: int | None = field(default=None, init=False)
    """The thread that has reserved the networks."""
    _is_released: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._workspaces = list(workspaces(self.backend))

    @property
    def workspace(self) -> Workspace:
        """The first workspace that has not run out of memory yet."""
        return self._workspaces[0]

    @contextmanager
    def reserved(self) -> Generator[None, None, None]:
        """Reserve the networks for one thread; others wait.

        A network's input, output and working memory belong to one case at a time. Raises UsageError in a
        process that was forked after the networks were loaded, because threads do not survive a fork, in the
        thread that has reserved them already, and once they are released.
        """
        if os.getpid() != self._process:
            raise UsageError(
                "the submission was loaded before this process was forked",
                file=self.loaded.folder,
                hint="load it in the process that predicts",
            )
        if self._owner == get_ident():
            raise UsageError(
                "the model is in use by this thread",
                file=self.loaded.folder,
                hint="use it after the folder is predicted, not in the progress callback",
            )
        with self._lock:
            if self._is_released:
                raise UsageError("the model is closed", hint="load it again")
            self._owner = get_ident()
            try:
                yield
            finally:
                self._owner = None

    def release(self) -> None:
        """Free the backend's memory, for good, once no thread uses it; a forked child leaves it alone."""
        if os.getpid() == self._process and not self._is_released:
            with self.reserved():
                self._is_released = True
                self.backend.release()

    def load_all(self) -> None:
        """Load and check every member, so that a broken one ends the run before its first case.

        Raises EnvironmentFault.
        """
        for stage in self.loaded.submission.stages:
            for branch in stage.branches:
                self._load(stage, branch)

    def members(
        self, stage: Stage, branch: Branch, backend: Backend, separately: bool = False
    ) -> list[WeightedMember]:
        """The networks of a branch's members; separately: one a member, in their order."""
        files = branch_files(stage, branch, self.loaded.submission, self.loaded.folder)
        return load_members(stage, branch, files, backend, separately)

    def step_down(self, reason: str) -> None:
        """Go on in the next workspace: fewer windows at once, accumulators on the host, then the CPU.

        reason: why memory did not suffice. Later cases begin with this workspace. Raises CaseError MEMORY
        when none is left, after which the last one is tried again for the next case.
        """
        tried = self._workspaces.pop(0)
        tried.backend.release()
        if not self._workspaces and tried.backend.device != "cpu":
            self._workspaces = [Workspace(cpu_fallback())]
        if not self._workspaces:
            self._workspaces = [tried]
            raise CaseError(
                Code.MEMORY, reason, expected="more memory", hint="give the run more memory or fewer mirrors"
            )
        self.log(f"too little memory for {tried}: {reason}; now {self.workspace}")

    def _load(self, stage: Stage, branch: Branch) -> None:
        while True:
            try:
                self.members(stage, branch, self.workspace.backend)
                return
            except (DeviceMemoryError, MemoryError) as error:
                reason = first_line(error)
            try:
                self.step_down(reason)
            except CaseError as error:
                raise EnvironmentFault(
                    f"too little memory for the weights: {error.found}",
                    file=self.loaded.folder,
                    hint="give the run more memory",
                ) from error


def warn_of_starter(submission: Submission) -> None:
    """Log the warning of every run with a starter, on the command line and from Python."""
    if submission.starter:
        LOG.warning(
            f"{submission.name} is a STARTER, trained on synthetic cases (phantoms): do not submit it"
        )


def first_line(error: BaseException) -> str:
    """What a lack of memory reports, in one line; the error itself would keep its frames' arrays alive."""
    return (str(error).strip() or "out of memory").splitlines()[0]
