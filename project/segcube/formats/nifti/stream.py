"""The bytes of a NIfTI file, whole and never more than its header declares."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from segcube.core import CaseError, Code
from segcube.formats.nifti.gzipped import CHUNK, GZIP_MAGIC, CutOffError, DamagedError, GzipReader

EXTENDER_BYTES = 4
"""They follow every header."""
PROOF_BYTES = 2**26
"""How far a refused gzip stream is unpacked to learn whether it is damaged."""
SLACK_BYTES = 2**20
"""Beside twice its voxels: gzip never swells what it packs, and padding ends at a block."""
ABOUT_THE_STREAM = (Code.CORRUPT, Code.TRUNCATED, Code.UNREADABLE)


class Stream:
    """Reads forward through a file, unpacking it if its name ends in .gz."""

    def __init__(self, file: Path, raw: BufferedReader) -> None:
        self.file = file
        self._raw = raw
        self._packed = file.name.endswith(".gz")
        self._bytes = GzipReader(raw) if self._packed else raw
        self._position = 0
        self._unproved = PROOF_BYTES if self._packed else 0

    def read(self, count: int, what: str) -> bytearray:
        """Exactly so many bytes of `what`.

        Raises CaseError EMPTY_FILE or TRUNCATED when the file ends before, CORRUPT when it is damaged.
        """
        content = bytearray(count)
        self.read_into(memoryview(content), what)
        return content

    def read_into(self, buffer: memoryview, what: str) -> None:
        """Fill a buffer of bytes with `what`; raises as `read` does."""
        found = self._readinto(buffer)
        if self._position == 0:
            raise CaseError(Code.EMPTY_FILE, "holds 0 bytes", file=self.file, hint="copy it again")
        if found < len(buffer):
            raise self._truncated(f"ends after {found} of {len(buffer)} bytes of {what}")

    def pass_over(self, count: int, what: str) -> None:
        """Read so many bytes of `what` and keep none; raises as `read` does."""
        buffer = memoryview(bytearray(min(count, CHUNK)))
        while count > 0:
            self.read_into(buffer[:count], what)
            count -= len(buffer)

    def go_to_voxels(self, offset: int, count: int) -> None:
        """Pass over what stands before the first of `count` bytes of voxels.

        The file is measured at once: a packed one may not be much larger than what it declares. Raises
        CaseError BAD_HEADER when the file ends before the voxels, TRUNCATED or TOO_LARGE when it has not the
        size that its header declares.
        """
        missing = offset - self._position
        if self._readinto(memoryview(bytearray(missing))) < missing:
            if missing <= EXTENDER_BYTES:
                raise self._truncated("ends after its header")
            raise CaseError(
                Code.BAD_HEADER, f"vox_offset {offset} past the end", file=self.file, hint="export it again"
            )
        size, declared = os.fstat(self._raw.fileno()).st_size, offset + count
        if size > (2 * declared + SLACK_BYTES if self._packed else declared):
            self._unproved = 0
            raise self._too_large(declared)
        if not self._packed and size < declared:
            raise self._truncated(f"holds {size} of {declared} bytes")

    def finish(self) -> None:
        """Check that the stream ends here, and a gzip stream with the right CRC and length.

        Raises CaseError TOO_LARGE when more follows, TRUNCATED or CORRUPT when it does not end as it should.
        """
        if self._readinto(memoryview(bytearray(1))):
            raise self._too_large(self._position - 1)

    def expect_undamaged(self) -> None:
        """Unpack on, within bounds and keeping nothing: what is odd about a file may be its damage.

        Raises CaseError CORRUPT or TRUNCATED.
        """
        buffer = memoryview(bytearray(CHUNK))
        while self._unproved > 0 and (count := self._readinto(buffer)):
            self._unproved -= count

    def _readinto(self, buffer: memoryview) -> int:
        try:
            count = self._bytes.readinto(buffer)
        except CutOffError as error:
            raise self._truncated("the gzip stream is cut off") from error
        except DamagedError as error:
            raise self._corrupt(str(error)) from error
        except OSError as error:
            raise unreadable(self.file, error) from error
        self._position += count
        return count

    def _truncated(self, found: str) -> CaseError:
        return CaseError(Code.TRUNCATED, found, file=self.file, expected="a whole file", hint="copy it again")

    def _corrupt(self, why: str) -> CaseError:
        return CaseError(
            Code.CORRUPT,
            f"damaged: {why}",
            file=self.file,
            expected="a sound gzip stream",
            hint="copy it again",
        )

    def _too_large(self, declared: int) -> CaseError:
        return CaseError(
            Code.TOO_LARGE,
            f"more than the {declared} bytes that its header declares",
            file=self.file,
            expected="no bytes after the voxels",
            hint="export it again",
        )


@contextmanager
def open_stream(file: Path) -> Generator[Stream, None, None]:
    """Open a file of NIfTI bytes.

    Raises CaseError as `open_file` does, and NOT_NIFTI when its name and its content disagree about gzip.
    What is refused while it is open is CORRUPT or TRUNCATED where its gzip stream proves so.
    """
    with open_file(file) as raw:
        packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        raw.seek(0)
        if packed != file.name.endswith(".gz"):
            found = "is packed with gzip" if packed else "is not packed with gzip"
            expected = "a plain NIfTI file" if packed else "a gzip stream"
            raise CaseError(
                Code.NOT_NIFTI, found, file=file, expected=expected, hint="name it by what it holds"
            )
        stream = Stream(file, raw)
        try:
            yield stream
        except CaseError as error:
            if error.code not in ABOUT_THE_STREAM:
                stream.expect_undamaged()
            raise


@contextmanager
def open_file(file: Path) -> Generator[BufferedReader, None, None]:
    """Open a file for reading; anything but a plain file is never opened.

    Raises CaseError NOT_FILE, UNREADABLE or EMPTY_FILE.
    """
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise CaseError(Code.NOT_FILE, f"is {_kind(status.st_mode)}", file=file, expected="a file")
        if status.st_size == 0:
            raise CaseError(Code.EMPTY_FILE, "holds 0 bytes", file=file, hint="copy it again")
        raw = file.open("rb")
    except OSError as error:
        raise unreadable(file, error) from error
    with raw:
        yield raw


def unreadable(file: Path, error: OSError) -> CaseError:
    """What the operating system says, as the case's error."""
    return CaseError(Code.UNREADABLE, f"cannot be read: {error.strerror or error}", file=file)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
