"""Unpack a gzip stream piece by piece, every member's CRC and length checked."""

from __future__ import annotations

from typing import BinaryIO

from isal import isal_zlib

GZIP_MAGIC = b"\x1f\x8b"
GZIP_WINDOW = 31
RESERVED_FLAGS = 0xE0
FLAGS_AT = 3
CHUNK = 2**20
FED = 2**18
"""Bytes that are read at once: what a member leaves of them is copied, which many small members feel."""
MAX_MEMBERS = 2**16
"""A bgzip of the largest volume has half as many."""

MAX_PADDING = 2**20


class CutOffError(Exception):
    """The stream ends inside a member."""


class DamagedError(Exception):
    """The stream cannot be unpacked, or its CRC or length is wrong."""


class GzipReader:
    """Reads forward through the members of a gzip file and unpacks no more than it is asked for.

    Not isal's own file object: that one holds back what a cut file has before the cut.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._packed = b""
        self._members = 0
        self._member = isal_zlib.decompressobj(wbits=GZIP_WINDOW)

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer and tell how far; less only at the end of the last member, its trailer checked.

        Raises CutOffError and DamagedError.
        """
        filled = 0
        while filled < len(buffer) and self._has_input():
            fed = self._packed
            try:
                part = self._member.decompress(fed, min(len(buffer) - filled, CHUNK))
            except isal_zlib.error as error:  # pyright: ignore[reportGeneralTypeIssues]
                raise DamagedError(str(error)) from error
            if not (part or fed or self._member.eof):
                raise CutOffError
            self._packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            buffer[filled : filled + len(part)] = part
            filled += len(part)
        return filled

    def _has_input(self) -> bool:
        """Fill the input, and go on to the next member where one ends; False after the last.

        Raises CutOffError and DamagedError.
        """
        self._packed = self._packed or self._raw.read(FED)
        if self._members and not self._member.eof:
            return True
        if self._members:
            self._skip_padding()
        return bool(self._packed) and self._enter_member()

    def _skip_padding(self) -> None:
        # Zeros may pad a gzip file to a block's size
        self._packed, passed = self._packed.lstrip(b"\0"), 0
        while not self._packed and (block := self._raw.read(FED)):
            self._packed, passed = block.lstrip(b"\0"), passed + len(block)
            if passed > MAX_PADDING:
                raise DamagedError(f"more than {MAX_PADDING} zeros follow")

    def _enter_member(self) -> bool:
        if len(self._packed) <= FLAGS_AT:
            self._packed += self._raw.read(FED)
        if not GZIP_MAGIC.startswith(self._packed[: len(GZIP_MAGIC)]):
            raise DamagedError("bytes follow that are no gzip member")
        if len(self._packed) <= FLAGS_AT:
            raise CutOffError
        # isal lets them pass; RFC 1952 asks for an error
        if self._packed[FLAGS_AT] & RESERVED_FLAGS:
            raise DamagedError("reserved flags are set")
        if self._members == MAX_MEMBERS:
            raise DamagedError(f"more than {MAX_MEMBERS} gzip members")
        self._members += 1
        self._member = isal_zlib.decompressobj(wbits=GZIP_WINDOW)
        return True
