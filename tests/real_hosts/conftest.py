"""Real hosts: a container engine, the image of this checkout, and a count of the hosts that started it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from segcube.release.trial.launch import Engine

from .machine import IMAGE, MLCUBE, ROOT, engine_here, expected_hosts

exercised_hosts: list[str] = []


def was_asked_for(config: pytest.Config) -> bool:
    """Return whether this folder or a file of it was named on the command line: see `make test-hosts`."""
    here = Path(__file__).parent
    places = [Path(word.split("::")[0]).resolve() for word in config.invocation_params.args if word]
    return any(place == here or here in place.parents for place in places)


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Skip this folder unless it was named."""
    return None if was_asked_for(config) else True


@pytest.fixture(scope="session")
def engine() -> Engine:
    found = engine_here()
    if found is None:
        pytest.skip("no container engine answers")
    return found


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """The image, built from this checkout with a CPU build of torch."""
    assert engine.build(IMAGE, ROOT, ["--build-arg", "TORCH=cpu"]) == 0
    return IMAGE


@pytest.fixture(scope="session")
def exercised() -> Callable[[str], None]:
    """Record that a host started segcube and that its maps were checked."""
    return exercised_hosts.append


@pytest.fixture(scope="session")
def mlcube(engine: Engine) -> Callable[..., str]:
    """Run MLCube's own command."""
    if engine.program != "docker" or not MLCUBE.is_file():
        pytest.skip(f"MLCube needs Docker and {MLCUBE}: make mlcube")

    def run(*words: str) -> str:
        environment = os.environ | {"PATH": f"{MLCUBE.parent}:{os.environ['PATH']}"}
        ended = subprocess.run([MLCUBE, *words], capture_output=True, text=True, env=environment, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    return run


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    if not was_asked_for(config):
        return
    terminalreporter.write_line(f"hosts really exercised: {len(exercised_hosts)}")
    for host in exercised_hosts:
        terminalreporter.write_line(f"  {host}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail if a kind of host that this machine supports was skipped."""
    option = session.config.option
    if option.collectonly or option.keyword or not was_asked_for(session.config):
        return
    for kind, reason in expected_hosts().items():
        if not any(host.startswith(kind) for host in exercised_hosts):
            print(f"\nnot exercised: {kind}, though {reason}")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
