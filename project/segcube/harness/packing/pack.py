"""Pack a submission: what Synapse, MedPerf, MLCube and the BraTS orchestrator take."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from segcube.errors import UsageError
from segcube.harness.packing.archive import write_archive
from segcube.harness.packing.documents import container_config, mlcube_config
from segcube.harness.packing.orchestrator import Paper, orchestrator_entry
from segcube.hosts import DEFAULT_PARAMETERS
from segcube.submission import load_for

ORCHESTRATOR = "orchestrator.yml"
FILES = ("mlcube.yaml", "container_config.yaml", "parameters.yaml", "additional_files.tar.gz")
"""What the archive holds, at its root."""


@dataclass(frozen=True)
class Packed:
    """What was written."""

    folder: Path
    archive: Path
    """The .tar.gz that Synapse takes."""
    additional_files: tuple[str, ...]

    def told(self, image: str | None) -> str:
        """A line for each thing, for a person; image: the one that was built, if any."""
        lines = [
            f"{self.folder}  the folder, for mlcube run and medperf",
            f"{self.archive}  the archive, for Synapse",
            f"{self.folder / ORCHESTRATOR}  the entry for the BraTS orchestrator",
        ]
        return "\n".join([*lines, f"{image}  the image; push it before you submit"] if image else lines)


def pack_submission(weights: Path, image: str, out: Path, paper: Paper) -> Packed:
    """Write the folder `out` and the archive beside it.

    The folder runs with `mlcube run` as it is: its workspace holds the parameters and the weights. Raises
    UsageError when `out` is there already, and what `load_for` raises.
    """
    loaded = load_for(weights)
    archive = out.with_name(out.name + ".tar.gz")
    for path in (out, archive):
        if path.exists():
            raise UsageError("is there already", file=path, expected="a new folder and archive")
    workspace = out / "workspace"
    workspace.mkdir(parents=True)
    for folder in (out, workspace):
        shutil.copyfile(DEFAULT_PARAMETERS, folder / "parameters.yaml")
    files = submission_files(weights, {member.file for member in loaded.submission.members})
    (workspace / "additional_files").mkdir()
    for name, file in files.items():
        shutil.copyfile(file, workspace / "additional_files" / name)
    write_archive(files, out / "additional_files.tar.gz")
    _write(mlcube_config(image, weights=True), out / "mlcube.yaml")
    _write(container_config(image, weights=True), out / "container_config.yaml")
    entry = orchestrator_entry(image, loaded.challenge, paper)
    _write({"algorithms": {loaded.submission.name: entry}}, out / ORCHESTRATOR)
    write_archive({name: out / name for name in FILES}, archive)
    return Packed(out, archive, tuple(files))


def submission_files(weights: Path, members: set[str]) -> dict[str, Path]:
    """The files of a submission by name; weights that no member names, and hidden files, stay out."""
    files = (file for file in sorted(weights.iterdir()) if file.is_file() and not file.name.startswith("."))
    return {file.name: file for file in files if file.suffix != ".safetensors" or file.name in members}


def _write(document: dict[str, Any], file: Path) -> None:
    file.write_text(yaml.safe_dump(document, sort_keys=False, width=110), encoding="utf-8")
