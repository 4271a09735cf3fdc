"""Check and pack a submission for Synapse, MedPerf, MLCube and the BraTS orchestrator."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from segcube.backends.openvino import compile_if_possible, read_compiled
from segcube.core import LOG, EnvironmentFault, UsageError, printable
from segcube.release.check.findings import CheckReport, FindingCode
from segcube.release.check.submission import check_submission
from segcube.release.pack.documents import Publication, container_config, mlcube_config, orchestrator_entry
from segcube.release.pack.image import BuildArguments, build_image, check_image_name
from segcube.release.pack.shipped import ShippedFiles, shipped_files, write_archive
from segcube.release.trial.launch import find_engine
from segcube.spec.hosts import DEFAULT_PARAMETERS
from segcube.spec.submission import (
    LoadedSubmission,
    atomic_folder,
    load_for_challenge,
    member_files,
)

ORCHESTRATOR = "orchestrator.yml"
FILES = ("mlcube.yaml", "container_config.yaml", "parameters.yaml", "additional_files.tar.gz")
"""The files at the root of the archive."""

ARCHIVE_SUFFIX = ".tar.gz"
LONGEST_NAME = 255
"""Bytes of a file's name on all usual file systems."""


@dataclass(frozen=True)
class PackRequest:
    """What to pack, and under which names."""

    weights: Path
    image: str
    out: Path | None = None
    """Folder to create; packed/NAME if None."""
    publication: Publication = field(default_factory=Publication)
    build: BuildArguments | None = None
    """None to build no image."""
    device: str = "auto"
    """Of the dry run."""


@dataclass(frozen=True)
class Packed:
    """The files that were written."""

    folder: Path
    archive: Path
    """The .tar.gz for Synapse."""
    shipped: ShippedFiles

    def summary(self, image: str | None) -> str:
        """Return one line for each thing written. image: the one that was built, if any."""
        lines = [
            f"{self.folder}  the folder, for mlcube run and medperf",
            f"{self.archive}  the archive, for Synapse",
            f"{self.folder / ORCHESTRATOR}  the entry for the BraTS orchestrator",
        ]
        lines += [f"{image}  the image; push it before you submit"] if image else []
        return "\n".join(map(printable, [*lines, *self.shipped.lines()]))


def check_and_pack(request: PackRequest) -> tuple[CheckReport, Packed | None]:
    """Check a submission and, if there is no error, build its image and pack it.

    Raises, before the check, UsageError if the folder exists and EnvironmentFault if an image is to be built
    without a container engine. A build that fails leaves no folder.
    """
    out = (request.out or Path("packed") / request.weights.resolve().name).absolute()
    check_new(out)
    engine = find_engine() if request.build else None
    if request.build and engine is None:
        raise EnvironmentFault("no container engine responds", expected="docker or podman")
    report = check_for_packing(request.weights, request.image, device=request.device)
    if report.errors:
        return report, None
    _compile_where_missing(load_for_challenge(request.weights))
    if engine is not None and request.build is not None:
        build_image(engine, request.image, request.weights, request.build)
    return report, pack_submission(request.weights, request.image, out, request.publication)


def check_for_packing(weights: Path, image: str, *, device: str = "auto") -> CheckReport:
    """Check a submission and the name of its image; starters and placeholder names are errors."""
    report = check_submission(weights, device)
    findings = [
        replace(finding, level="error") if finding.code is FindingCode.STARTER else finding
        for finding in report.findings
    ]
    findings = (*check_image_name(image), *findings)
    return CheckReport("pack", weights, findings, report.facts, report.challenge)


def _compile_where_missing(loaded: LoadedSubmission) -> None:
    """Compile networks that are not yet compiled, beside the weights: the host's copy cannot be changed."""
    compiled = read_compiled(loaded.folder)
    if any(member not in compiled for member in member_files(loaded.submission, loaded.folder)):
        compile_if_possible(loaded, LOG.info)


def pack_submission(weights: Path, image: str, out: Path, publication: Publication) -> Packed:
    """Write the folder `out` and the archive beside it, or nothing in case of an error.

    `mlcube run` starts the folder as it is: its workspace has the parameters and the weights. Raises
    UsageError if `out` exists, EnvironmentFault if it cannot be written, and what `load_for_challenge` and
    `shipped_files` raise.
    """
    loaded = load_for_challenge(weights)
    shipped = shipped_files(loaded)
    archive = check_new(out)
    with atomic_folder(out) as folder:
        workspace = folder / "workspace"
        (workspace / "additional_files").mkdir(parents=True)
        for place in (folder, workspace):
            shutil.copyfile(DEFAULT_PARAMETERS, place / "parameters.yaml")
        for name, file in shipped.files.items():
            shutil.copyfile(file, workspace / "additional_files" / name)
        write_archive(shipped.files, folder / "additional_files.tar.gz")
        _write(mlcube_config(image), folder / "mlcube.yaml")
        _write(container_config(image), folder / "container_config.yaml")
        entry = orchestrator_entry(image, loaded.challenge, publication)
        _write({"algorithms": {loaded.submission.name: entry}}, folder / ORCHESTRATOR)
        write_archive({name: folder / name for name in FILES}, folder / archive.name)
    (out / archive.name).rename(archive)
    return Packed(out, archive, shipped)


def check_new(out: Path) -> Path:
    """Check that neither folder nor archive exists; returns the path of the archive beside the folder.

    Raises UsageError if one of them exists or the archive's name would be too long, EnvironmentFault if
    segcube is installed without the parameters of the container.
    """
    archive = out.with_name(out.name + ARCHIVE_SUFFIX)
    if len(os.fsencode(archive.name)) > LONGEST_NAME:
        expected = f"at most {LONGEST_NAME - len(ARCHIVE_SUFFIX)} bytes, for {ARCHIVE_SUFFIX} after it"
        hint = "name another with --out"
        raise UsageError("the name is too long", file=out, expected=expected, hint=hint)
    for path in (out, archive):
        if path.exists() or path.is_symlink():
            hint = "remove it, or name another with --out"
            raise UsageError("already exists", file=path, expected="a new folder and archive", hint=hint)
    if not DEFAULT_PARAMETERS.is_file():
        raise EnvironmentFault("no such file", file=DEFAULT_PARAMETERS, hint="install segcube again")
    return archive


def _write(document: dict[str, Any], file: Path) -> None:
    file.write_text(yaml.safe_dump(document, sort_keys=False, width=110), encoding="utf-8")
