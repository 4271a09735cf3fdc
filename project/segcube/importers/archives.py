"""Unpack untrusted zip and tar archives: plain files within the target folder, up to a limit of bytes."""

from __future__ import annotations

import gzip
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn, cast

from segcube.core import EnvironmentFault

MAX_DIRECTORY = 1 << 22
"""Bytes of a zip's central directory; that of a checkpoint of 10,000 tensors has 1 MB."""
END = struct.Struct("<4s4H2LH")
END_SIGNATURE = b"PK\5\6"
MAX_COMMENT = 1 << 16
LOCATOR = struct.Struct("<4sLQL")
LOCATOR_SIGNATURE = b"PK\6\7"
END_64 = struct.Struct("<4sQ2H2L4Q")

CHUNK = 1 << 20
MAX_BYTES = 64 << 30
"""Unpacked bytes of all members."""
MAX_MEMBERS = 10_000
MAX_RATIO = 50
"""Unpacked bytes for each byte of the archive: weights hardly compress, plain text by 20."""
SPARE_BYTES = 16 << 20
"""Unpacked bytes that are allowed in addition to the ratio."""
MAX_HEADER = 1 << 16
"""Bytes of the headers of one tar member."""
GZIP = b"\x1f\x8b"
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")


def open_zip(source: IO[bytes]) -> zipfile.ZipFile:
    """Open a zip to read. Raises zipfile.BadZipFile for a damaged zip and a too large central directory."""
    if _directory_bytes(source) > MAX_DIRECTORY:
        raise zipfile.BadZipFile(f"its list of entries has more than {MAX_DIRECTORY} bytes")
    source.seek(0)
    return zipfile.ZipFile(source)


def _directory_bytes(source: IO[bytes]) -> int:
    """Read the directory's size from the end record of a zip or zip64; 0 if there is none."""
    source.seek(0, 2)
    end = source.tell()
    source.seek(max(0, end - MAX_COMMENT - END.size - LOCATOR.size))
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


def is_archive(file: Path) -> bool:
    """Whether `unpack` takes a file of this name."""
    return file.name.endswith((*TAR_SUFFIXES, ".zip"))


def unpack(file: Path, target: Path, max_bytes: int = MAX_BYTES) -> Path:
    """Unpack a .zip, .tar or .tar.gz into the new folder `target`; return it.

    max_bytes: of all members; MAX_RATIO limits them too. Raises EnvironmentFault for a damaged archive, a
    member outside the target, a link or device, a repeated member, and too many bytes or members; files that
    were written until then stay.
    """
    try:
        left = min(max_bytes, SPARE_BYTES + MAX_RATIO * file.stat().st_size)
        with _opened(file) as archive:
            _write_all(file, archive, target, left)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        _refuse(file, f"a damaged archive: {error}")
    except (OSError, RuntimeError) as error:
        _refuse(file, f"an archive that cannot be unpacked: {error}")
    return target


class _BoundedGzip(gzip.GzipFile):
    """A compressed tar that gives no more than `left` bytes: one member and its headers.

    A header holds its own length, and tarfile reads all of it into memory.
    """

    left = MAX_HEADER

    def read(self, size: int | None = -1) -> bytes:
        """Read as a gzip file does. Raises ReadError beyond `left`."""
        self.left -= self.left + 1 if size is None or size < 0 else size
        if self.left < 0:
            raise tarfile.ReadError(f"a header of more than {MAX_HEADER} bytes")
        return super().read(size)


@contextmanager
def _opened(file: Path) -> Generator[zipfile.ZipFile | tarfile.TarFile, None, None]:
    if not file.name.endswith(TAR_SUFFIXES):
        with file.open("rb") as opened, open_zip(opened) as archive:
            yield archive
        return
    with file.open("rb") as plain:
        is_gzip = plain.read(len(GZIP)) == GZIP
    # Not bzip2 and lzma: their readers allocate as much memory as a file declares
    with (
        _BoundedGzip(file) if is_gzip else file.open("rb") as opened,
        tarfile.open(fileobj=opened, mode="r:") as archive,
    ):
        yield archive


@dataclass(frozen=True)
class _Member:
    """A member of either kind of archive."""

    name: str
    size: int
    kind: str
    """file, folder, or what else it is."""
    open: Callable[[], IO[bytes] | None]


def _members(archive: zipfile.ZipFile | tarfile.TarFile) -> Iterator[_Member]:
    if isinstance(archive, tarfile.TarFile):
        for info in archive:
            if isinstance(archive.fileobj, _BoundedGzip):
                archive.fileobj.left = MAX_HEADER + info.size
            kind = "file" if info.isreg() else "folder" if info.isdir() else "link or device"
            yield _Member(info.name, info.size, kind, partial(archive.extractfile, info))
        return
    for info in archive.infolist():
        # The upper half of the attributes is the Unix mode: 0o12 is a symbolic link, 0 is unknown
        mode = info.external_attr >> 28
        kind = "folder" if info.is_dir() else "file" if mode in (0, 0o10) else "link or device"
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            kind = "member of an unknown compression"
        yield _Member(info.filename, info.file_size, kind, partial(archive.open, info))


def _write_all(file: Path, archive: zipfile.ZipFile | tarfile.TarFile, target: Path, left: int) -> None:
    max_bytes, seen = left, set[PurePosixPath]()
    for count, member in enumerate(_members(archive)):
        place = PurePosixPath(member.name)
        if place.is_absolute() or ".." in place.parts or "\\" in member.name or "\0" in member.name:
            _refuse(file, f"an archive with {member.name!r}, a place outside its folder")
        if count >= MAX_MEMBERS or member.size > left:
            _refuse(file, f"an archive of more than {max_bytes} bytes or {MAX_MEMBERS} members")
        if member.kind == "folder":
            continue
        if member.kind != "file" or not place.parts:
            _refuse(file, f"an archive with {member.name!r}, a {member.kind}")
        if place in seen:
            _refuse(file, f"an archive that holds {member.name!r} twice")
        seen.add(place)
        left -= member.size
        _write(member, target.joinpath(*place.parts))


def _write(member: _Member, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    left = member.size
    with cast("IO[bytes]", member.open()) as source, place.open("xb") as written:
        while left and (chunk := source.read(min(CHUNK, left))):
            written.write(chunk)
            left -= len(chunk)
        # A member may unpack to more than its header declares
        if left or source.read(1):
            raise EOFError(f"{member.name} is longer or shorter than its header declares")


def _refuse(file: Path, found: str) -> NoReturn:
    expected = "plain files and folders"
    raise EnvironmentFault(found, file=file, expected=expected, hint="fetch it again, or unpack it yourself")
