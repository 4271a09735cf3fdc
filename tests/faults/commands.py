"""Commands of segcube as processes, and what must hold after each of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from segcube.formats.nifti import read_labels

HERE = Path(__file__).parent
LIMIT = 300
"""Seconds after which a command counts as hanging."""


@dataclass(frozen=True)
class CommandResult:
    """How a command ended."""

    code: int
    stderr: str
    seconds: float
    peak: float
    """Peak memory in MB."""
    output: Path
    report: dict[str, Any] | None
    before: set[str]
    """Names in the output folder before the run."""

    def codes(self) -> dict[str, str]:
        """The reason code of each bad case in the report."""
        cases = self.report["cases"] if self.report else []
        return {case["case"]: case["code"] for case in cases if case["code"]}

    def statuses(self) -> dict[str, str]:
        return {case["case"]: case["status"] for case in self.report["cases"]} if self.report else {}

    def maps(self) -> dict[str, bytes]:
        """The content of each file of the output folder, by name."""
        if not self.output.is_dir():
            return {}
        return {file.name: file.read_bytes() for file in self.output.iterdir() if file.is_file()}

    def expect(self, *codes: int, sound: dict[str, bytes]) -> CommandResult:
        """Check what holds for every fault: no traceback, no other file, and unchanged maps of valid cases.

        sound: the maps of a run without the fault; each that is there must be one of them, byte by byte.
        """
        assert self.code in codes, f"exit {self.code}: {self.stderr}"
        assert "Traceback" not in self.stderr, self.stderr
        assert "Exception ignored" not in self.stderr, self.stderr
        for name, content in self.maps().items():
            if name not in self.before:
                assert name in sound, f"a stray file: {name}"
                assert content == sound[name], f"another map: {name}"
        return self


@dataclass
class Running:
    """A running command."""

    server: Commands
    pid: int
    output: Path
    report: Path
    errors: Path
    before: set[str]

    def ended(self, seconds: float = LIMIT) -> CommandResult:
        reply = self.server.ask({"wait": self.pid, "seconds": seconds})
        stderr = self.errors.read_text(errors="replace")
        if reply["code"] is None:
            os.kill(self.pid, signal.SIGKILL)
        assert reply["code"] is not None, f"hangs after {seconds} s: {stderr}"
        printed = json.loads(self.report.read_text()) if self.report.is_file() else None
        return CommandResult(
            reply["code"], stderr, reply["took"], reply["peak"], self.output, printed, self.before
        )


@dataclass
class Commands:
    """Starts `segcube infer` with one submission."""

    weights: Path
    scratch: Path
    server: subprocess.Popen[str]
    numbers: count = field(default_factory=count)

    @classmethod
    def started(cls, weights: Path, data: Path, scratch: Path) -> Commands:
        arguments = ["infer", "--data_path", data, "--output_path", scratch / "warm", "--weights", weights]
        server = subprocess.Popen(
            [sys.executable, str(HERE / "serve_commands.py"), *map(str, arguments), "--device", "cpu"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return cls(weights, scratch, server)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline())

    def begin(self, data: Path | str, output: Path, *options: object, **setting: Any) -> Running:
        """Start a run. Settings: before (Python text), environment, weights, report."""
        report = setting.get("report", self.scratch / f"{next(self.numbers)}.json")
        arguments = ["infer", "--data_path", data, "--output_path", output, "--report", report]
        arguments += ["--weights", setting.get("weights", self.weights), "--device", "cpu", *options]
        return self._begin(arguments, output, Path(report), setting)

    def call(self, *arguments: object, **setting: Any) -> CommandResult:
        """Run any command. Settings: before, environment."""
        report = self.scratch / "no report"
        return self._begin(arguments, report, report, setting).ended()

    def _begin(
        self, arguments: Sequence[object], output: Path, report: Path, setting: dict[str, Any]
    ) -> Running:
        errors = self.scratch / f"{next(self.numbers)}.err"
        found = {file.name for file in output.iterdir()} if output.is_dir() else set()
        request = {
            "arguments": [str(argument) for argument in arguments],
            "before": setting.get("before", ""),
            "environment": setting.get("environment", {}),
            "out": str(self.scratch / "stdout"),
            "err": str(errors),
        }
        return Running(self, self.ask(request)["pid"], output, report, errors, found)

    def run(self, data: Path | str, output: Path, *options: object, **setting: Any) -> CommandResult:
        return self.begin(data, output, *options, **setting).ended()

    def close(self) -> None:
        with self.server:
            pass


def labels_of(file: Path) -> np.ndarray:
    return read_labels(file)[0]
