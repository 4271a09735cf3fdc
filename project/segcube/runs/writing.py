"""Write the last map while the next case is on the device."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from types import TracebackType

from typing_extensions import Self

from segcube import __version__
from segcube.errors import CaseError
from segcube.runs.ledger import Ledger
from segcube.runs.outcome import failed_report
from segcube.runs.reading import Read
from segcube.types import CaseReport, Prediction
from segcube.volumes import describe_origin, write_label_map


class MapWriter:
    """One map at a time in a thread; a case enters the ledger when its map is on the disk."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._pending: tuple[Future[float], CaseReport] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()
        # What was on its way when the run was ended is whole by now and belongs into the report
        self.settle()

    def write(self, prediction: Prediction, read: Read, report: CaseReport) -> None:
        """Begin to write a map; the one before it is settled first."""
        self.settle()
        origin = describe_origin(__version__, read.fingerprint or "none", prediction.labels_xyz)
        self._pending = (self._pool.submit(_timed_write, prediction, read.output, origin), report)

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
        (writing, report), self._pending = self._pending, None
        try:
            report = replace(report, seconds={**report.seconds, "write": round(writing.result(), 3)})
        except CaseError as error:
            self._ledger.refuse(report.case, error)
            report = failed_report(report.case, error, None)
        self._ledger.add(report)


def _timed_write(prediction: Prediction, file: Path, origin: str) -> float:
    start = perf_counter()
    write_label_map(prediction, file, origin)
    return perf_counter() - start
