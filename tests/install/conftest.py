"""Commands in interpreters that lack something, as do their child processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from segcube.phantoms import PhantomSet, write_phantoms
from segcube.spec.challenges import load_challenge

Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> Path:
    """A small synthetic case of brats2023-gli: data and labels."""
    folder = tmp_path_factory.mktemp("cases")
    write_phantoms(PhantomSet(load_challenge("brats2023-gli"), 1, 0), folder, edge=24)
    return folder


@pytest.fixture
def run_after(tmp_path) -> Callable[[str], Run]:
    """A function that returns one that runs a command in interpreters that begin with some code."""
    folder = tmp_path / "begin"
    folder.mkdir()

    def after(code: str) -> Run:
        (folder / "sitecustomize.py").write_text(code)

        def run(*words: object) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-P", "-m", "segcube.cli", *map(str, words)],
                cwd=tmp_path,
                env=os.environ | {"PYTHONPATH": str(folder)},
                capture_output=True,
                text=True,
                check=False,
            )

        return run

    return after


@pytest.fixture
def succeed() -> Callable[..., str]:
    """A function that runs commands and returns their output; each must end with 0."""

    def all_of(run: Run, *commands: tuple[object, ...]) -> str:
        output = ""
        for words in commands:
            ended = run(*words)
            assert ended.returncode == 0, f"{words}: {ended.stdout}{ended.stderr}"
            output += ended.stdout + ended.stderr
        return output

    return all_of
