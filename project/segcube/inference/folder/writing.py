"""Write the last map while the next case is on the device, and add each case to the report."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Self

import numpy as np

from segcube import __version__
from segcube.core import (
    Case,
    CaseError,
    Code,
    EnvironmentFault,
    ExitCode,
    OnError,
    Prediction,
    as_case_error,
    submit,
)
from segcube.formats.nifti import (
    as_stored_labels,
    describe_origin,
    foreign_files,
    read_grid,
    remove_own_map,
    write_label_map,
)
from segcube.inference.folder.case_log import CaseLog
from segcube.inference.folder.report import CaseReport
from segcube.spec.challenges import Challenge

SOUND = ("done", "kept")


def prediction_report(prediction: Prediction, challenge: Challenge, output: str) -> CaseReport:
    """The report of a finished case: seconds a step, voxels and millilitres a label."""
    labels_xyz = prediction.labels_xyz
    voxels = {name: int(np.count_nonzero(labels_xyz == value)) for name, value in challenge.labels.items()}
    millilitres = {name: round(count * prediction.grid.voxel_volume_ml, 3) for name, count in voxels.items()}
    return CaseReport(
        case=prediction.case.name,
        status="done",
        notices=prediction.notices,
        seconds={step: round(seconds, 3) for step, seconds in prediction.seconds.items()},
        voxels=voxels,
        millilitres=millilitres,
        output=output,
    )


def failed_report(case: str, error: CaseError, output: str | None) -> CaseReport:
    """The report of a bad case: empty when a background map stands in for it, else failed."""
    status = "empty" if output else "failed"
    return CaseReport(case, status, code=str(error.code), message=str(error), output=output)


def background_map(case: Case) -> Prediction | None:
    """A map of background on the reference channel's grid; None if not even its header can be read."""
    if case.reference not in case.files:
        return None
    try:
        grid, forms = read_grid(case.reference_file)
    except CaseError:
        return None
    return Prediction(case, np.zeros(grid.shape, dtype=np.uint8), grid, forms)


def exit_code(cases: Sequence[CaseReport], on_error: OnError) -> ExitCode:
    """0, 3 or 4 by the table of on_error; a run without cases has done none."""
    bad = sum(case.status not in SOUND for case in cases)
    if cases and bad == 0:
        return ExitCode.DONE
    if on_error == "stop" and bad:
        return ExitCode.SOME_FAILED
    if bad == len(cases):
        return ExitCode.NONE_DONE
    return ExitCode.DONE if on_error == "empty" else ExitCode.SOME_FAILED


class MapWriter:
    """One map at a time in a thread; a case is added to the log when its map is on the disk."""

    def __init__(self, log: CaseLog) -> None:
        self._log = log
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._pending: tuple[Future[float], Path, CaseReport] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        # A map that was being written when the run ended is complete by now and belongs into the report
        self.settle()

    def write(self, prediction: Prediction, file: Path, fingerprint: str, report: CaseReport) -> None:
        """Begin to write a map; the one before it is settled first."""
        self.settle()
        self._pending = submit(self._pool, _timed_write, prediction, file, fingerprint), file, report

    def add(self, report: CaseReport) -> None:
        """Add a case that writes no map, after those before it."""
        self.settle()
        self._log.add(report)

    def settle(self) -> None:
        """Wait for the map that is being written.

        Raises EnvironmentFault when the folder or the disk failed; an error of the map alone costs its case.
        """
        if self._pending is None:
            return
        (writing, file, report), self._pending = self._pending, None
        error = writing.exception()
        if isinstance(error, EnvironmentFault):
            raise error
        if error is None:
            report = replace(report, seconds={**report.seconds, "write": round(writing.result(), 3)})
        else:
            failure = as_case_error(error)
            self._log.refuse(report.case, failure)
            remove_own_map(file)
            report = failed_report(report.case, failure, None)
        self._log.add(report)


def _timed_write(prediction: Prediction, file: Path, fingerprint: str) -> float:
    start = perf_counter()
    write_with_origin(prediction, file, fingerprint)
    return perf_counter() - start


def write_with_origin(prediction: Prediction, file: Path, fingerprint: str) -> None:
    """Write a label map whose header names what it was made from; an earlier map of segcube's is replaced.

    Raises CaseError OUTPUT for a folder or a file of other origin in its place, EnvironmentFault when the map
    cannot be written.
    """
    if file.is_dir() and not file.is_symlink():
        raise CaseError(Code.OUTPUT, "a folder has the map's name", file=file, hint="remove it")
    if foreign_files([file]):
        raise CaseError(
            Code.OUTPUT, "exists, and segcube did not write it", file=file, hint="move it, or write elsewhere"
        )
    stored = replace(prediction, labels_xyz=as_stored_labels(prediction.labels_xyz))
    write_label_map(stored, file, describe_origin(__version__, fingerprint, stored.labels_xyz))
