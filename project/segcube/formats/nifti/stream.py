"""Reading of a NIfTI file's bytes: complete, and never more than its header declares."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from pathlib import Path

from segcube.core import CaseError, Code
from segcube.formats.nifti.gzipped import CHUNK, GZIP_MAGIC, CutOffError, DamagedError, GzipReader
from segcube.formats.nifti.png import PngPart, is_png, nifti_of_png

EXTENDER_BYTES = 4
"""Follow each header."""
CHECKED_BYTES = 2**26
"""How far a rejected gzip stream is decompressed to find out whether it is damaged."""
SLACK_BYTES = 2**20
"""Allowed in addition to twice the declared size: gzip hardly expands data, and pads to a block at most."""
STREAM_ERRORS = (Code.CORRUPT, Code.TRUNCATED, Code.UNREADABLE)


class NiftiStream:
    """Reads a file from beginning to end, decompressing it if its name ends in .gz."""

    def __init__(self, file: Path, raw: BufferedReader | BytesIO, size: int) -> None:
        self.file = file
        self._size = size
        self._packed = file.name.endswith(".gz")
        self._bytes = GzipReader(raw) if self._packed else raw
        self._position = 0
        self._unchecked = CHECKED_BYTES if self._packed else 0

    def read(self, count: int, what: str) -> bytearray:
        """Return exactly `count` bytes; `what` names them in errors.

        Raises CaseError EMPTY_FILE or TRUNCATED when the file is too short, CORRUPT when it is damaged.
        """
        content = bytearray(count)
        self.read_into(memoryview(content), what)
        return content

    def read_into(self, buffer: memoryview, what: str) -> None:
        """Fill a buffer. Raises CaseError as `read` does."""
        found = self._readinto(buffer)
        if self._position == 0:
            raise CaseError(Code.EMPTY_FILE, "has 0 bytes", file=self.file, hint="copy it again")
        if found < len(buffer):
            raise self._truncated(f"ends after {found} of {len(buffer)} bytes of {what}")

    def skip(self, count: int, what: str) -> None:
        """Read and discard `count` bytes. Raises CaseError as `read` does."""
        buffer = memoryview(bytearray(min(count, CHUNK)))
        while count > 0:
            self.read_into(buffer[:count], what)
            count -= len(buffer)

    def seek_voxels(self, offset: int, count: int) -> None:
        """Skip to the voxels, which begin at `offset` and have `count` bytes, and check the file's size.

        A compressed file must not be much larger than the declared size. Raises CaseError BAD_HEADER when the
        file ends before the voxels, TRUNCATED or TOO_LARGE when its size contradicts its header.
        """
        missing = offset - self._position
        if self._readinto(memoryview(bytearray(missing))) < missing:
            if missing <= EXTENDER_BYTES:
                raise self._truncated("ends after its header")
            found = f"vox_offset {offset} is after the end of the file"
            raise CaseError(Code.BAD_HEADER, found, file=self.file, hint="export it again")
        size, declared = self._size, offset + count
        if size > (2 * declared + SLACK_BYTES if self._packed else declared):
            self._unchecked = 0
            raise self._too_large(declared)
        if not self._packed and size < declared:
            raise self._truncated(f"has {size} of {declared} bytes")

    def finish(self) -> None:
        """Check that the stream ends here, including the CRC and length of a gzip stream.

        Raises CaseError TOO_LARGE when more bytes follow, TRUNCATED or CORRUPT when the end is damaged.
        """
        if self._readinto(memoryview(bytearray(1))):
            raise self._too_large(self._position - 1)

    def check_damage(self) -> None:
        """Decompress up to CHECKED_BYTES more: an invalid header may result from damage to the stream.

        Raises CaseError CORRUPT or TRUNCATED.
        """
        buffer = memoryview(bytearray(CHUNK))
        while self._unchecked > 0 and (count := self._readinto(buffer)):
            self._unchecked -= count

    def _readinto(self, buffer: memoryview) -> int:
        try:
            count = self._bytes.readinto(buffer)
        except CutOffError as error:
            raise self._truncated("the gzip stream is incomplete") from error
        except DamagedError as error:
            found, expected = f"damaged: {error}", "an undamaged gzip stream"
            fault = CaseError(Code.CORRUPT, found, file=self.file, expected=expected, hint="copy it again")
            raise fault from error
        except OSError as error:
            raise unreadable(self.file, error) from error
        self._position += count
        return count

    def _truncated(self, found: str) -> CaseError:
        expected = "a complete file"
        return CaseError(Code.TRUNCATED, found, file=self.file, expected=expected, hint="copy it again")

    def _too_large(self, declared: int) -> CaseError:
        found = f"more than the {declared} bytes that its header declares"
        expected = "no bytes after the voxels"
        return CaseError(Code.TOO_LARGE, found, file=self.file, expected=expected, hint="export it again")


@contextmanager
def open_stream(file: Path, part: PngPart = None) -> Generator[NiftiStream, None, None]:
    """Open a NIfTI file, or a PNG as a NIfTI file of one slice.

    part: of a PNG. Raises CaseError as `open_file` and `nifti_of_png` do, and NOT_NIFTI
    when name and content disagree about gzip. An error raised inside the context becomes CORRUPT or TRUNCATED
    if the gzip stream turns out to be damaged.
    """
    with open_file(file) as raw:
        if is_png(file):
            content = nifti_of_png(file, BytesIO(raw.read()), part)
            yield NiftiStream(file, BytesIO(content), len(content))
            return
        packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        raw.seek(0)
        if packed != file.name.endswith(".gz"):
            found = "is compressed with gzip" if packed else "is not compressed with gzip"
            expected = "a plain NIfTI file" if packed else "a gzip stream"
            hint = "rename it: .nii.gz if compressed, else .nii"
            raise CaseError(Code.NOT_NIFTI, found, file=file, expected=expected, hint=hint)
        stream = NiftiStream(file, raw, os.fstat(raw.fileno()).st_size)
        try:
            yield stream
        except CaseError as error:
            if error.code not in STREAM_ERRORS:
                stream.check_damage()
            raise


@contextmanager
def open_file(file: Path) -> Generator[BufferedReader, None, None]:
    """Open a regular file for reading; anything else, such as a FIFO, is never opened.

    Raises CaseError NOT_FILE, UNREADABLE or EMPTY_FILE.
    """
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise CaseError(Code.NOT_FILE, f"is {_kind(status.st_mode)}", file=file, expected="a file")
        if status.st_size == 0:
            raise CaseError(Code.EMPTY_FILE, "has 0 bytes", file=file, hint="copy it again")
        raw = file.open("rb")
    except OSError as error:
        raise unreadable(file, error) from error
    with raw:
        yield raw


def unreadable(file: Path, error: OSError) -> CaseError:
    """Return an error of the operating system as the case's."""
    return CaseError(Code.UNREADABLE, f"cannot be read: {error.strerror or error}", file=file)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
