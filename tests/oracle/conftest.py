"""Comparisons with published code, which runs in an environment of its own: see `make test-oracle`.

They are collected only where this folder is asked for by name; a comparison that is skipped fails the run.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from .trainers import TrainerRequest, ask_trainers

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
INTERPRETER = Path(os.environ.get("SEGCUBE_ORACLE", ROOT / ".venv-oracle" / "bin" / "python"))
TABLES = ROOT / "build" / "oracle"
"""Where the tables of a run are left."""


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave this folder out unless it was asked for."""
    return None if _asked_for(config) else True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many comparisons ran."""
    if _asked_for(terminalreporter.config):
        counts = {
            kind: len(_reports(terminalreporter, kind)) for kind in ("passed", "failed", "error", "skipped")
        }
        told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        terminalreporter.write_line(f"comparisons with published code: {told}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run when a comparison was skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and _asked_for(session.config) and _reports(reporter, "skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _asked_for(config: pytest.Config) -> bool:
    asked = [
        Path(argument.split("::")[0]).resolve() for argument in config.invocation_params.args if argument
    ]
    return any(place == HERE or HERE in place.parents for place in asked)


def _reports(reporter: pytest.TerminalReporter, kind: str) -> list[pytest.TestReport]:
    """The reports of a kind that are of this folder; other tests of a run may well be skipped."""
    place = HERE.relative_to(reporter.config.rootpath).as_posix()
    return [report for report in reporter.stats.get(kind, []) if report.nodeid.startswith(f"{place}/")]


@dataclass(frozen=True)
class Oracle:
    """The interpreter that published code runs in."""

    interpreter: Path

    def run(self, script: str, *arguments: str | Path) -> str:
        """Run a script of tests/oracle/reference; what it prints comes back. Fails with its last lines."""
        command = [self.interpreter, "-W", "ignore", HERE / "reference" / script, *arguments]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.fail(f"{script} ended with {done.returncode}:\n{done.stderr[-3000:]}", pytrace=False)
        return done.stdout


@pytest.fixture(scope="session")
def oracle() -> Oracle:
    """Published code; without its environment every comparison fails."""
    if not INTERPRETER.is_file():
        pytest.fail(f"{INTERPRETER}: no such file; run `make oracle` first", pytrace=False)
    return Oracle(INTERPRETER)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sum in one order, as reference/trainers.py does; for small tensors it is also faster."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def trainer_answers(
    request: pytest.FixtureRequest, oracle: Oracle, tmp_path_factory: pytest.TempPathFactory
) -> dict[Any, tuple[TrainerRequest, dict[str, np.ndarray]]]:
    """The `trainer_requests` of all modules of this run, by name, and nnU-Net's answers."""
    modules = dict.fromkeys(getattr(item, "module", None) for item in request.session.items)
    asked: dict[Any, TrainerRequest] = {}
    for module in modules:
        if hasattr(module, "trainer_requests"):
            asked |= module.trainer_requests()
    answers = ask_trainers(oracle, tmp_path_factory.mktemp("trainers"), list(asked.values()))
    return {name: (asked[name], answer) for name, answer in zip(asked, answers, strict=True)}


@pytest.fixture(scope="session")
def tabulate() -> Callable[[str, str, str], None]:
    """Add a row to a Markdown table of the run: the table's file name, its head and the row."""
    begun: set[str] = set()

    def add(name: str, head: str, row: str) -> None:
        TABLES.mkdir(parents=True, exist_ok=True)
        file = TABLES / name
        if name not in begun:
            begun.add(name)
            file.write_text(f"| {head} |\n|{'---|' * (head.count('|') + 1)}\n")
        with file.open("a") as table:
            table.write(f"| {row} |\n")

    return add
