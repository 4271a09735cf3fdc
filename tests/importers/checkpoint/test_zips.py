from __future__ import annotations

import io
import struct
import zipfile

import pytest

from segcube.importers.checkpoint.unpack import LARGEST_DIRECTORY, open_zip


def zipped(comment: bytes = b"") -> bytearray:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        opened.writestr("a", b"content")
        opened.comment = comment
    return bytearray(stream.getvalue())


@pytest.mark.parametrize("comment", [b"", b"a comment"])
def test_a_sound_zip_is_opened(comment):
    with open_zip(io.BytesIO(zipped(comment))) as opened:
        assert opened.read("a") == b"content"


@pytest.mark.parametrize("comment", [b"", b"a comment"])
def test_too_large_a_list_of_entries_is_refused_unread(comment):
    content = zipped(comment)
    end = content.rfind(b"PK\x05\x06")
    content[end + 12 : end + 16] = struct.pack("<L", LARGEST_DIRECTORY + 1)
    with pytest.raises(zipfile.BadZipFile, match="list of entries"):
        open_zip(io.BytesIO(content))


def test_the_list_of_a_zip64_is_bounded_too():
    content = zipped()
    end = content.rfind(b"PK\x05\x06")
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, LARGEST_DIRECTORY + 1, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    last = content[end:]
    last[12:16] = b"\xff" * 4
    with pytest.raises(zipfile.BadZipFile, match="list of entries"):
        open_zip(io.BytesIO(content[:end] + record + locator + last))


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all" * 10])
def test_what_is_no_zip_is_refused(content):
    with pytest.raises(zipfile.BadZipFile):
        open_zip(io.BytesIO(content))
