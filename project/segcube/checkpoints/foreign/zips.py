"""Open a zip whose list of entries is of a bearable size: Python's reader takes all of it into memory."""

from __future__ import annotations

import struct
import zipfile
from typing import IO

LARGEST_DIRECTORY = 1 << 22
"""Bytes of the list of entries; a checkpoint of 10,000 tensors has 1 MB."""
END = struct.Struct("<4s4H2LH")
END_SIGNATURE = b"PK\5\6"
LONGEST_COMMENT = 1 << 16
LOCATOR = struct.Struct("<4sLQL")
LOCATOR_SIGNATURE = b"PK\6\7"
END_64 = struct.Struct("<4sQ2H2L4Q")


def open_zip(source: IO[bytes]) -> zipfile.ZipFile:
    """Open a zip to read. Raises zipfile.BadZipFile for a damaged one and for too large a list of entries."""
    if _directory_bytes(source) > LARGEST_DIRECTORY:
        raise zipfile.BadZipFile(f"its list of entries has more than {LARGEST_DIRECTORY} bytes")
    source.seek(0)
    return zipfile.ZipFile(source)


def _directory_bytes(source: IO[bytes]) -> int:
    """The size of the list, as the last record of a zip or zip64 declares it; 0 where there is none."""
    end = source.seek(0, 2)
    source.seek(max(0, end - LONGEST_COMMENT - END.size - LOCATOR.size))
    tail = source.read()
    at = tail.rfind(END_SIGNATURE)
    if at < 0 or len(tail) - at < END.size:
        return 0
    size = END.unpack_from(tail, at)[5]
    if at >= LOCATOR.size:
        signature, _, offset, _ = LOCATOR.unpack_from(tail, at - LOCATOR.size)
        if signature == LOCATOR_SIGNATURE and offset <= end - END_64.size:
            source.seek(offset)
            size = max(size if size < 0xFFFFFFFF else 0, END_64.unpack(source.read(END_64.size))[8])
    return size
