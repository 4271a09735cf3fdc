"""Unpack an archive member by member: plain files within the target, and no more than is said."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn

from segcube.errors import EnvironmentFault

CHUNK = 1 << 20
LARGEST = 64 << 30
"""Bytes that an archive may hold in all."""
MOST = 100_000
"""Members that an archive may hold."""
TAR_ENDS = (".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True)
class _Entry:
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

    largest: bytes in all. Raises EnvironmentFault for a damaged archive, a member outside the target, a
    link or device, a member that comes twice, and for more than `largest`: what was written by then stays.
    """
    try:
        with _opened(file) as archive:
            _write_all(file, archive, target, largest)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        _refuse(file, f"a damaged archive: {error}")
    except (OSError, RuntimeError) as error:
        _refuse(file, f"an archive that cannot be unpacked: {error}")
    return target


@contextmanager
def _opened(file: Path) -> Generator[zipfile.ZipFile | tarfile.TarFile, None, None]:
    with tarfile.open(file) if file.name.endswith(TAR_ENDS) else zipfile.ZipFile(file) as archive:
        yield archive


def _write_all(file: Path, archive: zipfile.ZipFile | tarfile.TarFile, target: Path, largest: int) -> None:
    left, seen = largest, set[PurePosixPath]()
    for count, entry in enumerate(_entries(archive)):
        place = PurePosixPath(entry.name)
        if place.is_absolute() or ".." in place.parts or "\\" in entry.name or "\0" in entry.name:
            _refuse(file, f"an archive with {entry.name!r}, a place outside its folder")
        if entry.kind == "folder":
            continue
        if entry.kind != "file" or not place.parts:
            _refuse(file, f"an archive with {entry.name!r}, a {entry.kind}")
        if place in seen:
            _refuse(file, f"an archive that holds {entry.name!r} twice")
        seen.add(place)
        if entry.size > left or count >= MOST:
            _refuse(file, f"an archive of more than {largest} bytes or {MOST} members")
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
            kind = "file" if member.isreg() else "folder" if member.isdir() else "link or device"
            yield _Entry(member.name, member.size, kind, member)
        return
    for info in archive.infolist():
        # The upper half of the attributes is the Unix mode; 0o12 is a symbolic link, 0 says nothing
        mode = info.external_attr >> 28
        kind = "folder" if info.is_dir() else "file" if mode in (0, 0o10) else "link or device"
        yield _Entry(info.filename, info.file_size, kind, info)


def _reader(archive: zipfile.ZipFile | tarfile.TarFile, entry: _Entry) -> IO[bytes]:
    if isinstance(archive, tarfile.TarFile):
        found = archive.extractfile(entry.name if isinstance(entry.source, zipfile.ZipInfo) else entry.source)
        assert found is not None, "only files are read"
        return found
    return archive.open(entry.source if isinstance(entry.source, zipfile.ZipInfo) else entry.name)


def _refuse(file: Path, found: str) -> NoReturn:
    raise EnvironmentFault(
        found, file=file, expected="plain files and folders", mend="fetch it again, or unpack it yourself"
    )
