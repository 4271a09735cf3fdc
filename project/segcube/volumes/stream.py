"""The bytes of a NIfTI file, whole and never more than its header declares."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from segcube.errors import CaseError, Code
from segcube.volumes.gzipped import CutOffError, DamagedError, GzipReader

GZIP_MAGIC = b"\x1f\x8b"


class Stream:
    """Reads forward through a file, unpacking it if its name ends in .gz."""

    def __init__(self, file: Path, raw: BinaryIO) -> None:
        self.file = file
        self._raw = raw
        self._packed = file.name.endswith(".gz")
        self._bytes = GzipReader(raw) if self._packed else raw

    def read(self, count: int, what: str) -> bytes:
        """Exactly so many bytes of `what`.

        Raises CaseError TRUNCATED when the file ends before, CORRUPT when it cannot be unpacked.
        """
        content = self._read(count)
        if len(content) < count:
            raise CaseError(
                Code.TRUNCATED,
                f"ends after {len(content)} of {count} bytes of {what}",
                file=self.file,
                expected="a whole file",
                mend="copy it again",
            )
        return content

    def finish(self, declared: int) -> None:
        """Check that the stream ends here, and a gzip stream with the right CRC and length.

        declared: the bytes that the header asks for. Raises CaseError TOO_LARGE when more follow, TRUNCATED
        or CORRUPT when the stream does not end as it should.
        """
        if not self._read(1):
            return
        if self._packed and self._length_told() == declared % 2**32:
            raise self._corrupt("more bytes follow than the gzip trailer tells")
        raise CaseError(
            Code.TOO_LARGE,
            f"more than the {declared} bytes that its header declares",
            file=self.file,
            expected="no bytes after the voxels",
            mend="export it again",
        )

    def _read(self, count: int) -> bytes:
        try:
            return self._bytes.read(count)
        except CutOffError as error:
            raise CaseError(
                Code.TRUNCATED, "the gzip stream is cut off", file=self.file, mend="copy it again"
            ) from error
        except DamagedError as error:
            raise self._corrupt(str(error)) from error
        except OSError as error:
            raise CaseError(
                Code.UNREADABLE, f"cannot be read: {error.strerror or error}", file=self.file
            ) from error

    def _corrupt(self, why: str) -> CaseError:
        return CaseError(
            Code.CORRUPT,
            f"damaged: {why}",
            file=self.file,
            expected="a sound gzip stream",
            mend="copy it again",
        )

    def _length_told(self) -> int:
        self._raw.seek(-4, os.SEEK_END)
        return int.from_bytes(self._raw.read(4), "little")


@contextmanager
def open_stream(file: Path) -> Generator[Stream, None, None]:
    """Open a file of NIfTI bytes.

    Raises CaseError as `open_file` does, and NOT_NIFTI when its name and its content disagree about gzip.
    """
    with open_file(file) as raw:
        packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        raw.seek(0)
        if packed != file.name.endswith(".gz"):
            found = "is packed with gzip" if packed else "is not packed with gzip"
            expected = "a plain NIfTI file" if packed else "a gzip stream"
            raise CaseError(
                Code.NOT_NIFTI, found, file=file, expected=expected, mend="name it by what it holds"
            )
        yield Stream(file, raw)


@contextmanager
def open_file(file: Path) -> Generator[BinaryIO, None, None]:
    """Open a file for reading; anything but a plain file is never opened.

    Raises CaseError NOT_FILE, UNREADABLE or EMPTY_FILE.
    """
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise CaseError(Code.NOT_FILE, f"is {_kind(status.st_mode)}", file=file, expected="a file")
        if status.st_size == 0:
            raise CaseError(Code.EMPTY_FILE, "holds 0 bytes", file=file, mend="copy it again")
        raw = file.open("rb")
    except OSError as error:
        raise CaseError(Code.UNREADABLE, f"cannot be read: {error.strerror}", file=file) from error
    with raw:
        yield raw


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
