from __future__ import annotations

import io
import os
import struct
import tarfile
import zipfile

import pytest

from segcube.core import EnvironmentFault
from segcube.importers.archives import MAX_DIRECTORY, is_archive, open_zip, unpack


def make_zip(file, entries):
    with zipfile.ZipFile(file, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return file


def make_tar(file, entries):
    with tarfile.open(file, "w:gz") as archive:
        for name, data in entries:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file


@pytest.fixture(params=[(make_zip, "a.zip"), (make_tar, "a.tar.gz")], ids=["zip", "tar"])
def pack(request, tmp_path):
    make, name = request.param
    return lambda entries: make(tmp_path / name, entries)


def test_folders_and_files_come_out(pack, tmp_path):
    target = unpack(pack([("m/fold_0/w.pth", b"123"), ("m/plans.json", b"{}")]), tmp_path / "out")
    assert {f.relative_to(target).as_posix(): f.read_bytes() for f in target.rglob("*") if f.is_file()} == {
        "m/fold_0/w.pth": b"123",
        "m/plans.json": b"{}",
    }


def test_places_outside_are_refused(pack, tmp_path):
    for name in ("../w", "m/../../w", "/tmp/w", "m\\..\\w"):
        with pytest.raises(EnvironmentFault, match="a place outside its folder"):
            unpack(pack([(name, b"1")]), tmp_path / "in" / "out")
    assert not list(tmp_path.rglob("w"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_comes_twice_is_refused(pack, tmp_path):
    with pytest.raises(EnvironmentFault, match=r"holds 'm/.*w' twice"):
        unpack(pack([("m/w", b"1"), ("m/./w", b"2")]), tmp_path / "out")


def test_more_bytes_than_allowed_are_refused_before_they_are_written(pack, tmp_path):
    with pytest.raises(EnvironmentFault, match="more than 1000 bytes"):
        unpack(pack([("small", b"1"), ("large", b"\0" * 100_000)]), tmp_path / "out", max_bytes=1000)
    assert not (tmp_path / "out" / "large").exists()


def test_links_and_devices_of_a_tar_are_refused(tmp_path):
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "/etc/passwd"
        with pytest.raises(EnvironmentFault, match="a link or device"):
            unpack(make_tar(tmp_path / "a.tar.gz", [(info, b"")]), tmp_path / "out")


def test_links_of_a_zip_are_refused(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    with pytest.raises(EnvironmentFault, match="a link or device"):
        unpack(make_zip(tmp_path / "a.zip", [(info, "/etc/passwd")]), tmp_path / "out")


def test_a_damaged_archive_is_refused(pack, tmp_path):
    file = pack([("w", os.urandom(5000))])
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(EnvironmentFault, match="archive"):
        unpack(file, tmp_path / "out")


def test_a_missing_archive_is_refused(tmp_path):
    with pytest.raises(EnvironmentFault, match="cannot be unpacked"):
        unpack(tmp_path / "none.zip", tmp_path / "out")


def test_archives_are_recognized_by_name(tmp_path):
    assert is_archive(tmp_path / "model.tar.gz")
    assert is_archive(tmp_path / "model.zip")
    assert not is_archive(tmp_path / "model.pth")


def zipped(comment: bytes = b"") -> bytearray:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        opened.writestr("a", b"content")
        opened.comment = comment
    return bytearray(stream.getvalue())


def test_a_sound_zip_is_opened():
    for comment in (b"", b"a comment"):
        with open_zip(io.BytesIO(zipped(comment))) as opened:
            assert opened.read("a") == b"content"


@pytest.mark.parametrize("comment", [b"", b"a comment"])
def test_too_large_a_list_of_entries_is_refused_unread(comment):
    content = zipped(comment)
    end = content.rfind(b"PK\x05\x06")
    content[end + 12 : end + 16] = struct.pack("<L", MAX_DIRECTORY + 1)
    with pytest.raises(zipfile.BadZipFile, match="list of entries"):
        open_zip(io.BytesIO(content))


def test_the_list_of_a_zip64_is_bounded_too():
    content = zipped()
    end = content.rfind(b"PK\x05\x06")
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, MAX_DIRECTORY + 1, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    last = content[end:]
    last[12:16] = b"\xff" * 4
    with pytest.raises(zipfile.BadZipFile, match="list of entries"):
        open_zip(io.BytesIO(content[:end] + record + locator + last))


def test_what_is_no_zip_is_refused():
    for content in (b"", b"PK", b"no zip at all" * 10):
        with pytest.raises(zipfile.BadZipFile):
            open_zip(io.BytesIO(content))
