"""Unpack a gzip stream piece by piece, every member's CRC and length checked."""

from __future__ import annotations

from typing import BinaryIO

from isal import isal_zlib

GZIP_MAGIC = b"\x1f\x8b"
GZIP_WINDOW = 31
CHUNK = 2**20


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
        self._member = isal_zlib.decompressobj(wbits=GZIP_WINDOW)

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer and tell how far; less only at the end of the last member, its trailer checked.

        Raises CutOffError and DamagedError.
        """
        filled = 0
        while filled < len(buffer) and self._enter_member():
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

    def _enter_member(self) -> bool:
        """Fill the input, and go on to the next member where one ends; False after the last.

        Raises DamagedError when something else follows.
        """
        self._packed = self._packed or self._raw.read(CHUNK)
        if not self._member.eof:
            return True
        # Zeros may pad a gzip file to a block's size
        while self._packed and not self._packed.strip(b"\0"):
            self._packed = self._raw.read(CHUNK)
        self._packed = self._packed.lstrip(b"\0")
        if not GZIP_MAGIC.startswith(self._packed[: len(GZIP_MAGIC)]):
            raise DamagedError("bytes follow that are no gzip member")
        self._member = isal_zlib.decompressobj(wbits=GZIP_WINDOW) if self._packed else self._member
        return bool(self._packed)
