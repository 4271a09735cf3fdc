"""MedPerf's command: `test run` up to 0.2, `container run_test` since 0.3."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

CONFIG = "container_config.yaml"
"""MedPerf 0.1.3 takes the mlcube.yaml beside it."""


@dataclass(frozen=True)
class Model:
    """A folder with both documents, and its workspace."""

    folder: Path

    @property
    def parameters(self) -> Path:
        return self.folder / "workspace" / "parameters.yaml"

    @property
    def weights(self) -> Path | None:
        """The additional files, where the model has some."""
        place = self.folder / "workspace" / "additional_files"
        return place if place.is_dir() else None


@dataclass(frozen=True)
class MedPerf:
    """An installed MedPerf, and a home of its own for what it stores."""

    program: str
    home: Path

    @property
    def version(self) -> tuple[int, ...]:
        """Such as (0, 1, 3)."""
        found = re.search(r"\d+\.\d+\.\d+", self._run("--version"))
        assert found is not None
        return tuple(int(part) for part in found.group().split("."))

    def test_run(self, model: Model, stages: Path, cases: Path) -> Path:
        """Prepare, predict and evaluate synthetic cases as a benchmark does; returns the folder of maps.

        stages: a folder with preparation and metrics. cases: a folder with data and labels.
        """
        words = ["--data_path", str(cases / "data"), "--labels_path", str(cases / "labels")]
        words += ["-p", str(stages / "preparation" / CONFIG), "-e", str(stages / "metrics" / CONFIG)]
        words += ["-m", str(model.folder / CONFIG)]
        if self.version >= (0, 2, 0):
            words += ["--model_parameters", str(model.parameters)]
            words += ["--model_additional_files", str(model.weights)] if model.weights else []
        self._run("test", "run", "--offline", "--no-cache", *words)
        folders = {file.parent for file in (self.home / ".medperf" / "predictions").rglob("*.nii.gz")}
        assert len(folders) == 1, folders
        return folders.pop()

    def run_test(self, model: Model, data: Path, maps: Path) -> None:
        """Run the model's own task alone, on the image as it is on this machine."""
        words = ["--container", str(model.folder / CONFIG), "--task", "infer"]
        words += ["--parameters_file_path", str(model.parameters)]
        words += ["--additional_files_path", str(model.weights)] if model.weights else []
        self._run("container", "run_test", *words, "--mounts", f"data_path={data},output_path={maps}")

    def _run(self, *words: str) -> str:
        # Docker's plugins and logins stay those of the caller
        docker = os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker"))
        environment = os.environ | {"HOME": str(self.home), "DOCKER_CONFIG": docker}
        ended = subprocess.run(
            [self.program, *words], capture_output=True, text=True, env=environment, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout
