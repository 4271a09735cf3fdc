"""Decompression of gzip files piece by piece, with the CRC and length of each member checked."""

from __future__ import annotations

from typing import BinaryIO

from isal import isal_zlib

GZIP_MAGIC = b"\x1f\x8b"
GZIP_WINDOW = 31
RESERVED_FLAGS = 0xE0
FLAGS_OFFSET = 3
CHUNK = 2**20
READ_BYTES = 2**18
"""Bytes of one read; what follows the end of a member is copied, which is slow with many small members."""
MAX_MEMBERS = 2**16
"""The largest volume in bgzip format has half as many."""

MAX_PADDING = 2**20


class CutOffError(Exception):
    """The stream ends inside a member."""


class DamagedError(Exception):
    """The stream cannot be decompressed, or its CRC or length is wrong."""


class GzipReader:
    """Decompresses the members of a gzip file in order, never more bytes than requested.

    isal's own file object is not used: it does not return the data before the end of a truncated file.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._packed = b""
        self._members = 0
        self._member = isal_zlib.decompressobj(wbits=GZIP_WINDOW)

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer and return the number of bytes; fewer only at the end of the last member.

        Raises CutOffError and DamagedError.
        """
        filled = 0
        while filled < len(buffer) and self._has_input():
            packed = self._packed
            try:
                part = self._member.decompress(packed, min(len(buffer) - filled, CHUNK))
            except isal_zlib.error as error:  # pyright: ignore[reportGeneralTypeIssues]
                raise DamagedError(str(error)) from error
            if not (part or packed or self._member.eof):
                raise CutOffError
            self._packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            buffer[filled : filled + len(part)] = part
            filled += len(part)
        return filled

    def _has_input(self) -> bool:
        """Refill the input, and open the next member at the end of one; False after the last.

        Raises CutOffError and DamagedError.
        """
        self._packed = self._packed or self._raw.read(READ_BYTES)
        if self._members and not self._member.eof:
            return True
        if self._members:
            self._skip_padding()
        return bool(self._packed) and self._open_member()

    def _skip_padding(self) -> None:
        # gzip files may be padded to full blocks with zeros
        self._packed, skipped = self._packed.lstrip(b"\0"), 0
        while not self._packed and (block := self._raw.read(READ_BYTES)):
            self._packed, skipped = block.lstrip(b"\0"), skipped + len(block)
            if skipped > MAX_PADDING:
                raise DamagedError(f"more than {MAX_PADDING} bytes of padding")

    def _open_member(self) -> bool:
        if len(self._packed) <= FLAGS_OFFSET:
            self._packed += self._raw.read(READ_BYTES)
        if not GZIP_MAGIC.startswith(self._packed[: len(GZIP_MAGIC)]):
            raise DamagedError("the data after a gzip member is not another one")
        if len(self._packed) <= FLAGS_OFFSET:
            raise CutOffError
        # RFC 1952 requires an error; isal ignores them
        if self._packed[FLAGS_OFFSET] & RESERVED_FLAGS:
            raise DamagedError("reserved flags are set")
        if self._members == MAX_MEMBERS:
            raise DamagedError(f"more than {MAX_MEMBERS} gzip members")
        self._members += 1
        self._member = isal_zlib.decompressobj(wbits=GZIP_WINDOW)
        return True
