"""The files that a run writes, checked before its first case."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from segcube.core import LOG, EnvironmentFault, UsageError, count_of, remove_partial_files
from segcube.formats.nifti import check_replaceable, foreign_files
from segcube.inference.folder.case_log import lines_file
from segcube.inference.folder.request import Request
from segcube.inference.probabilities import saved_fingerprint
from segcube.spec.submission import LoadedSubmission


def check_outputs(request: Request, loaded: LoadedSubmission, cases: Sequence[str]) -> None:
    """Raise UsageError where the run would replace files that segcube did not write; it names all of them.

    Warns of an output folder within the data folder, where label maps could pass for reference labels.
    """
    data, output = request.data.resolve(), request.output.resolve()
    if output == data or data in output.parents:
        LOG.warning("the label maps are written into the folder of cases: name another folder with --out")
    maps = [request.output / loaded.challenge.output_name(case) for case in cases]
    _refuse(foreign_files(maps), request.output)
    if request.report is not None:
        for file in (request.report, lines_file(request.report)):
            check_replaceable(file, "a report of segcube", (b'"submission"', b'"starter"'))
    if request.report is not None and request.report.absolute() in [file.absolute() for file in maps]:
        raise UsageError("--report has the name of a label map", file=request.report, expected="another name")
    if request.save is not None:
        stage = loaded.submission.stages[-1]
        if len(set(names := request.save.files("CASE", stage))) < len(names):
            raise UsageError(
                f"--each-member: members of stage {stage.name} have files of the same name",
                expected="another name for each member's file",
            )
        files = [file for case in cases for file in request.save.files(case, stage)]
        foreign = foreign_files(files, lambda file: saved_fingerprint(file) is not None)
        _refuse(foreign, request.save.folder)


def prepare_output(request: Request) -> None:
    """Create the output folder, and remove what killed runs left. Raises EnvironmentFault."""
    try:
        request.output.mkdir(parents=True, exist_ok=True)
        why = "" if os.access(request.output, os.W_OK | os.X_OK) else "no permission, or a read-only disk"
    except OSError as error:
        why = error.strerror or str(error)
    if why:
        expected = "a folder that this user may write"
        raise EnvironmentFault(f"cannot be written: {why}", file=request.output, expected=expected)
    reports = request.report.parent if request.report else request.output
    for folder in {request.output, reports, request.save.folder if request.save else request.output}:
        for name in remove_partial_files(folder):
            LOG.info(f"removed a temporary file of an earlier run: {name}")


def _refuse(foreign: Sequence[Path], folder: Path) -> None:
    if foreign:
        names, count = ", ".join(file.name for file in foreign), count_of(len(foreign), "file")
        raise UsageError(
            f"would overwrite {count} not written by segcube, or changed since: {names}",
            file=folder,
            expected="an empty folder, or one with files of an earlier run",
            hint="write to another folder, or move these files",
        )
