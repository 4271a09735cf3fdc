"""Unpack a gzip stream piece by piece, every member's CRC and length checked."""

from __future__ import annotations

from typing import BinaryIO

from isal import isal_zlib

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

    def read(self, count: int) -> bytes:
        """Up to `count` bytes; fewer only at the end of the last member, whose trailer is checked then.

        Raises CutOffError and DamagedError.
        """
        parts: list[bytes] = []
        missing = count
        while missing and self._enter_member():
            fed = self._packed
            try:
                part = self._member.decompress(fed, missing)
            except isal_zlib.error as error:  # pyright: ignore[reportGeneralTypeIssues]
                raise DamagedError(str(error)) from error
            if not (part or fed or self._member.eof):
                raise CutOffError
            self._packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _enter_member(self) -> bool:
        """Fill the buffer, and go on to the next member where one ends; False after the last."""
        self._packed = self._packed or self._raw.read(CHUNK)
        if not self._member.eof:
            return True
        # Zeros may pad a gzip file to a block's size
        while self._packed and not self._packed.strip(b"\0"):
            self._packed = self._raw.read(CHUNK)
        self._packed = self._packed.lstrip(b"\0")
        self._member = isal_zlib.decompressobj(wbits=GZIP_WINDOW) if self._packed else self._member
        return bool(self._packed)
