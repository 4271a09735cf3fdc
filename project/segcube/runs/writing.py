"""Write the last map while the next case is on the device."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

from segcube import __version__
from segcube.errors import CaseError, Code, EnvironmentFault, as_case_error
from segcube.report import CaseReport
from segcube.runs.ledger import Ledger
from segcube.runs.outcome import failed_report
from segcube.threads import begin
from segcube.types import Prediction
from segcube.volumes import as_stored, describe_origin, discard_stale, foreign_files, write_label_map


class MapWriter:
    """One map at a time in a thread; a case enters the ledger when its map is on the disk."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._pending: tuple[Future[float], Path, CaseReport] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()
        # What was on its way when the run was ended is whole by now and belongs into the report
        self.settle()

    def write(self, prediction: Prediction, file: Path, fingerprint: str, report: CaseReport) -> None:
        """Begin to write a map; the one before it is settled first."""
        self.settle()
        self._pending = begin(self._pool, _timed_write, prediction, file, fingerprint), file, report

    def add(self, report: CaseReport) -> None:
        """Enter a case that writes no map, after those before it."""
        self.settle()
        self._ledger.add(report)

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
            told = as_case_error(error)
            self._ledger.refuse(report.case, told)
            discard_stale(file)
            report = failed_report(report.case, told, None)
        self._ledger.add(report)


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
        raise CaseError(Code.OUTPUT, "a folder has the map's name", file=file, mend="remove it")
    if foreign_files([file]):
        raise CaseError(
            Code.OUTPUT, "exists, and segcube did not write it", file=file, mend="move it, or write elsewhere"
        )
    stored = replace(prediction, labels_xyz=as_stored(prediction.labels_xyz))
    write_label_map(stored, file, describe_origin(__version__, fingerprint, stored.labels_xyz))
