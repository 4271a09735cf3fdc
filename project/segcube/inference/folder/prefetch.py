"""Read and prepare the next cases while one is on the device."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from math import prod
from pathlib import Path
from typing import Self

from segcube import __version__
from segcube.backends import Backend
from segcube.core import Case, CaseError, Clock, Code, RunSettings, Volume, as_case_error, cpu_count, submit
from segcube.formats.nifti import inputs_digest, read_volume, reason_to_redo
from segcube.inference.pipeline import PreparedStages, prepare_first_stages
from segcube.inference.probabilities import SavedProbabilities, saved_fingerprint
from segcube.spec.submission import LoadedSubmission

MOST_AT_ONCE = 3
"""Reading and preparing a case takes three times as long as a small network on a large GPU."""
READ_BYTES = 2**30
"""Voxels, as floats, of what is read at once."""
FLOAT_BYTES = 4
FINGERPRINT_FORMAT = "2"
"""Raise it to have --resume redo all maps: those of format 1 may be the background of a failed case."""


@dataclass(frozen=True)
class CaseInput:
    """A case that was read, found finished, or refused."""

    case: Case
    output: Path
    fingerprint: str = ""
    volume: Volume | None = None
    prefetched: PreparedStages | None = None
    """Images of the stages that follow none; None where each is prepared when its turn comes."""
    error: CaseError | None = None
    redo: str = ""
    """Why an existing map is predicted again."""
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    """Wall time of each step, in its thread."""


@dataclass(frozen=True)
class CaseReader:
    """Reads cases for one submission and its settings."""

    loaded: LoadedSubmission
    settings: RunSettings
    backend: Backend
    output: Path
    save: SavedProbabilities | None = None

    @property
    def device_waits(self) -> bool:
        """Whether the device is idle while images are prepared: a GPU is, a CPU is not."""
        return self.backend.device != "cpu"

    def __call__(self, case: Case, prepare: bool) -> CaseInput:
        """Read a case, and perhaps prepare what the first stages see; any error becomes the case's own."""
        file = self.file_of(case)
        clock = Clock()
        try:
            return replace(self._read(case, file, clock, prepare), seconds=clock.seconds)
        except OSError as error:
            return CaseInput(case, file, error=CaseError(Code.UNREADABLE, f"cannot be reached: {error}"))
        except Exception as error:
            return CaseInput(case, file, error=as_case_error(error))

    def file_of(self, case: Case) -> Path:
        """The file of the case's label map."""
        return self.output / self.loaded.challenge.output_name(case.name)

    def _read(self, case: Case, file: Path, clock: Clock, prepare: bool) -> CaseInput:
        fingerprint = self._fingerprint(case)
        redo = ""
        if self.settings.resume and file.exists():
            redo = reason_to_redo(file, fingerprint, case) or self._unsaved(case, fingerprint)
            if not redo:
                return CaseInput(case, file, fingerprint)
        channels = tuple(channel.name for channel in self.loaded.challenge.channels)
        with clock.step("read"):
            volume = read_volume(case, channels, self.loaded.challenge)
        if not prepare:
            return CaseInput(case, file, fingerprint, volume, redo=redo)
        with clock.step("preprocess"):
            images = prepare_first_stages(volume, self.loaded.submission.stages)
        return CaseInput(case, file, fingerprint, volume, images, redo=redo)

    def _unsaved(self, case: Case, fingerprint: str) -> str:
        """Why the saved probabilities are not those of the case's map; empty when they are."""
        files = self.save.files(case.name, self.loaded.submission.stages[-1]) if self.save else []
        found = [saved_fingerprint(file) == fingerprint for file in files]
        return "" if all(found) else "its probabilities are not saved"

    def _fingerprint(self, case: Case) -> str:
        """A digest of what a map depends on: submission, challenge, settings, device, version, inputs."""
        backend = self.backend
        parts = (
            FINGERPRINT_FORMAT,
            __version__,
            self.loaded.submission.model_dump_json(),
            self.loaded.challenge.model_dump_json(),
            f"{backend.name} {backend.device.split(':')[0]} {backend.precision} {self.settings.mirroring}",
            inputs_digest(case),
        )
        return blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


class Prefetcher:
    """Each case in order, read in a thread while the case before it is on the device.

    On entry the first case is begun. The next ones are begun when `start_next` is called while a case is on
    the device, or else when the next is requested. For a CPU that is one at a time, so that there is no more
    than one volume in memory; for a GPU as many as `cases_at_once` gives. A thread that dies costs its case.
    """

    def __init__(self, cases: Sequence[Case], reader: CaseReader) -> None:
        self._waiting, self._reader = list(reversed(cases)), reader
        self._pool = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="reader")
        self._begun: deque[tuple[Case, Future[CaseInput]]] = deque()
        self._at_once, self._most = 1, MOST_AT_ONCE

    def __enter__(self) -> Self:
        # Weights are loaded meanwhile: there is time and memory to prepare the first case as well
        self._begin(prepare=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def start_next(self) -> None:
        """Begin to read the next cases, if there are any and there is room for them."""
        while self._waiting and len(self._begun) < self._at_once:
            self._begin(self._reader.device_waits)

    def _begin(self, prepare: bool) -> None:
        if self._waiting:
            case = self._waiting.pop()
            self._begun.append((case, submit(self._pool, self._reader, case, prepare)))

    def __iter__(self) -> Iterator[CaseInput]:
        while self._begun:
            read = self._first()
            if read.volume is not None and self._reader.device_waits:
                self._at_once = min(self._most, cases_at_once(read.volume))
            yield read
            # Its voxels are not held while the next case is read
            del read
            self.start_next()

    def _first(self) -> CaseInput:
        case, reading = self._begun.popleft()
        # `exception` rather than `result`: an exit of the reading thread does not end the run
        error = reading.exception()
        if error is not None:
            return CaseInput(case, self._reader.file_of(case), error=as_case_error(error))
        read = reading.result()
        if read.error is None or read.error.code != Code.MEMORY:
            return read
        # The case before it is finished, and its memory free
        self._put_back()
        return self._reader(case, prepare=False)

    def _put_back(self) -> None:
        """Release the other cases that were read, to be read again one at a time from now on."""
        self._at_once = self._most = 1
        while self._begun:
            case, reading = self._begun.pop()
            reading.exception()
            self._waiting.append(case)


def cases_at_once(volume: Volume) -> int:
    """How many cases like this one are read and prepared at the same time, so that a GPU does not wait."""
    room = READ_BYTES // (FLOAT_BYTES * len(volume.channels) * max(1, prod(volume.grid.shape)))
    return max(1, min(room, cpu_count() - 1, MOST_AT_ONCE))
