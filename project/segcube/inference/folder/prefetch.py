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
from segcube.core import Case, CaseError, Clock, Code, RunSettings, Volume, as_case_error, begin, cores
from segcube.formats.nifti import inputs_digest, read_volume, unfinished
from segcube.inference.cascade import Prefetched, prefetch_images
from segcube.inference.probabilities import Keep, saved_fingerprint
from segcube.spec.submission import LoadedSubmission

MOST_AT_ONCE = 3
"""Reading and preparing a case takes three times as long as a small network on a large GPU."""
READ_BYTES = 2**30
"""Voxels, as floats, of what is read at once."""
FLOAT_BYTES = 4
FINGERPRINT_FORMAT = "2"
"""Raise it to have --resume redo all maps: those of format 1 may be the background of a failed case."""


@dataclass(frozen=True)
class Read:
    """A case that was read, found finished, or refused."""

    case: Case
    output: Path
    fingerprint: str = ""
    volume: Volume | None = None
    ahead: Prefetched | None = None
    """Its images, as far as no network has to say anything first; None where they are made in their turn."""
    error: CaseError | None = None
    redo: str = ""
    """Why an existing map is made again."""
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    """Wall time of each step, in its thread."""


@dataclass(frozen=True)
class Reader:
    """Reads cases for one submission and its settings."""

    loaded: LoadedSubmission
    settings: RunSettings
    backend: Backend
    output: Path
    keep: Keep | None = None

    @property
    def device_waits(self) -> bool:
        """A GPU has nothing to do while an image is prepared; a CPU's cores have, and its memory is full."""
        return self.backend.device != "cpu"

    def __call__(self, case: Case, prepare: bool) -> Read:
        """Read a case, and perhaps prepare what the first stages see; any error becomes the case's own."""
        file = self.file_of(case)
        clock = Clock()
        try:
            return replace(self._read(case, file, clock, prepare), seconds=clock.seconds)
        except OSError as error:
            return Read(case, file, error=CaseError(Code.UNREADABLE, f"cannot be reached: {error}"))
        except Exception as error:
            return Read(case, file, error=as_case_error(error))

    def file_of(self, case: Case) -> Path:
        """Where the case's map goes."""
        return self.output / self.loaded.challenge.output_name(case.name)

    def _read(self, case: Case, file: Path, clock: Clock, prepare: bool) -> Read:
        fingerprint = self._fingerprint(case)
        redo = ""
        if self.settings.resume and file.exists():
            redo = unfinished(file, fingerprint, case) or self._unsaved(case, fingerprint)
            if not redo:
                return Read(case, file, fingerprint)
        channels = tuple(channel.name for channel in self.loaded.challenge.channels)
        with clock.step("read"):
            volume = read_volume(case, channels, self.loaded.challenge)
        if not prepare:
            return Read(case, file, fingerprint, volume, redo=redo)
        with clock.step("preprocess"):
            ahead = prefetch_images(volume, self.loaded.submission.stages)
        return Read(case, file, fingerprint, volume, ahead, redo=redo)

    def _unsaved(self, case: Case, fingerprint: str) -> str:
        """Why the probabilities asked for are not those of the case's map; empty when they are."""
        files = self.keep.files(case.name, self.loaded.submission.stages[-1]) if self.keep else []
        found = [saved_fingerprint(file) == fingerprint for file in files]
        return "" if all(found) else "its probabilities are not saved"

    def _fingerprint(self, case: Case) -> str:
        """What a map is made of: submission, challenge, settings, device, version and input files."""
        backend = self.backend
        parts = (
            FINGERPRINT_FORMAT,
            __version__,
            self.loaded.submission.model_dump_json(),
            self.loaded.challenge.model_dump_json(),
            f"{backend.name} {backend.device.split(':')[0]} {backend.precision} {self.settings.mirrors}",
            inputs_digest(case),
        )
        return blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


class Prefetcher:
    """Each case in order, the first one being read in a thread from the start, the next ones meanwhile.

    Cases are begun when `read_on` is called while the one before is worked on, or else when one is asked for.
    For a CPU that is one at a time, so that there is no more than one volume; for a GPU as many as `at_once`
    says. If a thread dies, it costs its case.
    """

    def __init__(self, cases: Sequence[Case], reader: Reader) -> None:
        self._ahead, self._reader = list(reversed(cases)), reader
        self._pool = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="reader")
        self._coming: deque[tuple[Case, Future[Read]]] = deque()
        self._at_once, self._most = 1, MOST_AT_ONCE
        # Weights are read meanwhile: there is time and memory
        self._begin(prepare=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def start_next(self) -> None:
        """Begin to read the next cases, if there are any and there is room for them."""
        while self._ahead and len(self._coming) < self._at_once:
            self._begin(self._reader.device_waits)

    def _begin(self, prepare: bool) -> None:
        if self._ahead:
            case = self._ahead.pop()
            self._coming.append((case, begin(self._pool, self._reader, case, prepare)))

    def __iter__(self) -> Iterator[Read]:
        while self._coming:
            read = self._first()
            if read.volume is not None and self._reader.device_waits:
                self._at_once = min(self._most, at_once(read.volume))
            yield read
            del read
            self.start_next()

    def _first(self) -> Read:
        case, coming = self._coming.popleft()
        # Not result(): what ended the reading thread shall not end the run
        error = coming.exception()
        if error is not None:
            return Read(case, self._reader.file_of(case), error=as_case_error(error))
        read = coming.result()
        if read.error is None or read.error.code != Code.MEMORY:
            return read
        # The case before it is done, and its memory free
        self._put_back()
        return self._reader(case, prepare=False)

    def _put_back(self) -> None:
        """Let go what came of the others, to be read again in their turn, one at a time from now on."""
        self._at_once = self._most = 1
        while self._coming:
            case, coming = self._coming.pop()
            coming.exception()
            self._ahead.append(case)


def at_once(volume: Volume) -> int:
    """How many cases like one are read and prepared at the same time, for a GPU that would wait for them."""
    room = READ_BYTES // (FLOAT_BYTES * len(volume.channels) * max(1, prod(volume.grid.shape)))
    return max(1, min(room, cores() - 1, MOST_AT_ONCE))
