"""Pack a submission: what Synapse, MedPerf, MLCube and the BraTS orchestrator take."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from segcube.core import EnvironmentFault, UsageError, printable
from segcube.release.pack.documents import container_config, mlcube_config, write_archive
from segcube.release.pack.orchestrator import Paper, orchestrator_entry
from segcube.release.pack.shipped import ShippedFiles, shipped_files
from segcube.spec.hosts import DEFAULT_PARAMETERS
from segcube.spec.submission import load_for, whole_folder

ORCHESTRATOR = "orchestrator.yml"
FILES = ("mlcube.yaml", "container_config.yaml", "parameters.yaml", "additional_files.tar.gz")
"""What the archive holds, at its root."""


@dataclass(frozen=True)
class Packed:
    """What was written."""

    folder: Path
    archive: Path
    """The .tar.gz that Synapse takes."""
    shipped: ShippedFiles

    def told(self, image: str | None) -> str:
        """A line for each thing, for a person; image: the one that was built, if any."""
        lines = [
            f"{self.folder}  the folder, for mlcube run and medperf",
            f"{self.archive}  the archive, for Synapse",
            f"{self.folder / ORCHESTRATOR}  the entry for the BraTS orchestrator",
        ]
        lines += [f"{image}  the image; push it before you submit"] if image else []
        return "\n".join(map(printable, [*lines, *self.shipped.lines()]))


def pack_submission(weights: Path, image: str, out: Path, paper: Paper) -> Packed:
    """Write the folder `out` and the archive beside it; an error leaves neither.

    The folder runs with `mlcube run` as it is: its workspace holds the parameters and the weights. Raises
    UsageError when `out` is there already, EnvironmentFault when it cannot be written, and what `load_for`
    and `shipped_files` raise.
    """
    loaded = load_for(weights)
    shipped = shipped_files(loaded)
    archive = expect_new(out)
    with whole_folder(out) as folder:
        workspace = folder / "workspace"
        (workspace / "additional_files").mkdir(parents=True)
        for place in (folder, workspace):
            shutil.copyfile(DEFAULT_PARAMETERS, place / "parameters.yaml")
        for name, file in shipped.files.items():
            shutil.copyfile(file, workspace / "additional_files" / name)
        write_archive(shipped.files, folder / "additional_files.tar.gz")
        _write(mlcube_config(image, weights=True), folder / "mlcube.yaml")
        _write(container_config(image, weights=True), folder / "container_config.yaml")
        entry = orchestrator_entry(image, loaded.challenge, paper)
        _write({"algorithms": {loaded.submission.name: entry}}, folder / ORCHESTRATOR)
        write_archive({name: folder / name for name in FILES}, folder / archive.name)
    (out / archive.name).rename(archive)
    return Packed(out, archive, shipped)


def expect_new(out: Path) -> Path:
    """Check that nothing is in the way of a packed folder; returns the path of the archive beside it.

    Raises UsageError for a folder or an archive that is there, EnvironmentFault for an install of segcube
    without the container's parameters.
    """
    archive = out.with_name(out.name + ".tar.gz")
    for path in (out, archive):
        if path.exists():
            raise UsageError("is there already", file=path, expected="a new folder and archive")
    if not DEFAULT_PARAMETERS.is_file():
        raise EnvironmentFault("no such file", file=DEFAULT_PARAMETERS, hint="install segcube again")
    return archive


def _write(document: dict[str, Any], file: Path) -> None:
    file.write_text(yaml.safe_dump(document, sort_keys=False, width=110), encoding="utf-8")
