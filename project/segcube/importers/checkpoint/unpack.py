"""Unpack an archive member by member: plain files within the target, and no more than is said."""

from __future__ import annotations

import gzip
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn

from segcube.core import EnvironmentFault

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


CHUNK = 1 << 20
LARGEST = 64 << 30
"""Bytes that an archive may hold in all."""
MOST = 10_000
"""Members that an archive may hold."""
TIMES = 50
"""Bytes that an archive may unpack to, for each of its own: weights hardly shrink, plain text by 20."""
SPARE = 16 << 20
"""Bytes that any archive may unpack to."""
LONGEST_HEADER = 1 << 16
"""Bytes in which a tar may describe a member."""
GZIP = b"\x1f\x8b"
TAR_ENDS = (".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True)
class _Entry:
    """A member of either kind of archive."""

    name: str
    size: int
    kind: str
    """file, folder, or what it is instead."""
    source: zipfile.ZipInfo | tarfile.TarInfo


def is_archive(file: Path) -> bool:
    """Whether the name is that of an archive that `unpack` takes."""
    return file.name.endswith((*TAR_ENDS, ".zip"))


def unpack(file: Path, target: Path, largest: int = LARGEST) -> Path:
    """Unpack a .zip, .tar or .tar.gz into `target`, which is made; returns it.

    largest: bytes in all; no archive may unpack to much more than TIMES its own size. Raises
    EnvironmentFault for a damaged archive, a member outside the target, a link or device, a member that comes
    twice, and for more than `largest`: what was written by then stays.
    """
    try:
        left = min(largest, SPARE + TIMES * file.stat().st_size)
        with _opened(file) as archive:
            _write_all(file, archive, target, left)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        _refuse(file, f"a damaged archive: {error}")
    except (OSError, RuntimeError) as error:
        _refuse(file, f"an archive that cannot be unpacked: {error}")
    return target


class _Gunzipped(gzip.GzipFile):
    """A tar within a gzip, of which no more is read than what is `left`: a header, and its member.

    A header says itself how long it is, and tarfile reads all of it into memory.
    """

    left = LONGEST_HEADER

    def read(self, size: int | None = -1) -> bytes:
        """As a gzip file does. Raises ReadError beyond what is left."""
        self.left -= self.left + 1 if size is None or size < 0 else size
        if self.left < 0:
            raise tarfile.ReadError(f"a header of more than {LONGEST_HEADER} bytes")
        return super().read(size)


@contextmanager
def _opened(file: Path) -> Generator[zipfile.ZipFile | tarfile.TarFile, None, None]:
    if not file.name.endswith(TAR_ENDS):
        with file.open("rb") as opened, open_zip(opened) as archive:
            yield archive
        return
    with file.open("rb") as plain:
        is_gzip = plain.read(len(GZIP)) == GZIP
    # Not the other ways to pack a tar, whose readers take the memory that a file asks for
    with (
        _Gunzipped(file) if is_gzip else file.open("rb") as opened,
        tarfile.open(fileobj=opened, mode="r:") as archive,
    ):
        yield archive


def _write_all(file: Path, archive: zipfile.ZipFile | tarfile.TarFile, target: Path, left: int) -> None:
    largest, seen = left, set[PurePosixPath]()
    for count, entry in enumerate(_entries(archive)):
        place = PurePosixPath(entry.name)
        if place.is_absolute() or ".." in place.parts or "\\" in entry.name or "\0" in entry.name:
            _refuse(file, f"an archive with {entry.name!r}, a place outside its folder")
        if count >= MOST or entry.size > left:
            _refuse(file, f"an archive of more than {largest} bytes or {MOST} members")
        if entry.kind == "folder":
            continue
        if entry.kind != "file" or not place.parts:
            _refuse(file, f"an archive with {entry.name!r}, a {entry.kind}")
        if place in seen:
            _refuse(file, f"an archive that holds {entry.name!r} twice")
        seen.add(place)
        left -= entry.size
        _write(archive, entry, target.joinpath(*place.parts))


def _write(archive: zipfile.ZipFile | tarfile.TarFile, entry: _Entry, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    left = entry.size
    with _reader(archive, entry) as source, place.open("xb") as written:
        # A member may unpack to more than it says
        while left and (chunk := source.read(min(CHUNK, left))):
            written.write(chunk)
            left -= len(chunk)
        if left or source.read(1):
            raise EOFError(f"{entry.name} is longer or shorter than it says")


def _entries(archive: zipfile.ZipFile | tarfile.TarFile) -> Iterator[_Entry]:
    if isinstance(archive, tarfile.TarFile):
        for member in archive:
            if isinstance(archive.fileobj, _Gunzipped):
                archive.fileobj.left = LONGEST_HEADER + member.size
            kind = "file" if member.isreg() else "folder" if member.isdir() else "link or device"
            yield _Entry(member.name, member.size, kind, member)
        return
    for info in archive.infolist():
        # The upper half of the attributes is the Unix mode; 0o12 is a symbolic link, 0 says nothing
        mode = info.external_attr >> 28
        kind = "folder" if info.is_dir() else "file" if mode in (0, 0o10) else "link or device"
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            kind = "member that is packed in a way of its own"
        yield _Entry(info.filename, info.file_size, kind, info)


def _reader(archive: zipfile.ZipFile | tarfile.TarFile, entry: _Entry) -> IO[bytes]:
    if isinstance(archive, tarfile.TarFile):
        found = archive.extractfile(entry.name if isinstance(entry.source, zipfile.ZipInfo) else entry.source)
        assert found is not None, "only files are read"
        return found
    return archive.open(entry.source if isinstance(entry.source, zipfile.ZipInfo) else entry.name)


def _refuse(file: Path, found: str) -> NoReturn:
    raise EnvironmentFault(
        found, file=file, expected="plain files and folders", hint="fetch it again, or unpack it yourself"
    )
