"""Read a label map as far as possible, and collect what a strict reader would refuse."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from segcube.core import CaseError, Code
from segcube.formats.nifti import Header, NiftiStream, PngPart, open_stream, parse_header, read_fields
from segcube.release.check.findings import Finding, FindingCode, error, warning

ROOT_UID = 0


def file_findings(file: Path) -> Iterator[Finding]:
    """Report links, permissions and owner of a map.

    The permissions of the folder are not checked: the host sets them, not the submission.
    """
    if file.is_symlink():
        yield error(FindingCode.LINK, f"a link to {file.readlink()}", file=file)
    try:
        status, owner = file.stat(), file.parent.parent.stat().st_uid
    except OSError as fault:
        if not file.is_symlink():
            yield error(Code.UNREADABLE, f"cannot be reached: {fault.strerror}", file=file)
        return
    if stat.S_ISREG(status.st_mode) and not status.st_mode & stat.S_IROTH:
        yield error(
            FindingCode.PERMISSIONS,
            f"mode {stat.S_IMODE(status.st_mode):04o}: other users cannot read it",
            file=file,
        )
    if status.st_uid == ROOT_UID and owner != ROOT_UID:
        yield warning(FindingCode.ROOT_OWNED, "belongs to root", file=file)


DAMAGE = (Code.CORRUPT, Code.TRUNCATED, Code.EMPTY_FILE)
LONGEST_AXIS = 2**15 - 1
"""NIfTI-1 stores the length of an axis in 16 bits."""


@dataclass(frozen=True)
class Decoded:
    """Header and voxels of a map; invalid fields of the header are repaired."""

    axes: tuple[int, ...]
    """Length of every axis in the header, those after the third included."""
    version: int
    """NIfTI version, 1 or 2."""
    header: Header
    stored_xyz: np.ndarray
    """Voxels without slope and intercept."""


@dataclass(frozen=True)
class MapFile:
    """A label map as far as it can be read, and its faults."""

    file: Path
    faults: tuple[CaseError, ...]
    decoded: Decoded | None = None
    """None when the voxels cannot be read."""

    def refused(self, *codes: Code) -> bool:
        """Return whether one of the faults has one of these codes."""
        return any(fault.code in codes for fault in self.faults)


def read_map(file: Path, part: PngPart = "labels") -> MapFile:
    """Read a label map in one pass; collect faults of the header, repair it and continue.

    part: of a PNG, where it is the image that maps are compared with. A damaged file gets that one fault,
    since other faults may follow from the damage.
    """
    faults: list[CaseError] = []
    try:
        with open_stream(file, part) as stream:
            fields = read_fields(stream)
            version = 1 if int(fields["sizeof_hdr"]) == 348 else 2
            axes = tuple(int(size) for size in fields["dim"][1 : max(int(fields["dim"][0]), 0) + 1])
            header = _parse_repaired(fields, file, faults)
            stored_xyz = _read_voxels(stream, header, faults)
    except CaseError as fault:
        return MapFile(file, (fault,) if fault.code in DAMAGE else (*faults, fault))
    return MapFile(file, tuple(faults), Decoded(axes, version, header, stored_xyz))


def _parse_repaired(fields: Any, file: Path, faults: list[CaseError]) -> Header:
    """Parse a header; repair and parse it again while it has a fault that can be repaired."""
    while True:
        try:
            return parse_header(fields, file)
        except CaseError as fault:
            if fault.code not in _REPAIRS or not _REPAIRS[fault.code](fields):
                raise
            faults.append(fault)


def _read_voxels(stream: NiftiStream, header: Header, faults: list[CaseError]) -> np.ndarray:
    stream.seek_voxels(header.offset, header.voxel_bytes)
    content = np.empty(header.voxel_bytes, dtype=np.uint8)
    stream.read_into(content.data, "voxels")
    try:
        stream.finish()
    except CaseError as fault:
        if fault.code is not Code.TOO_LARGE:
            raise
        faults.append(fault)
        stream.check_damage()
    return content.view(header.dtype).reshape(header.grid.shape, order="F")


def _reset_spacing(fields: Any) -> bool:
    fields["pixdim"][1:4] = 1
    return True


def _remove_forms(fields: Any) -> bool:
    fields["sform_code"] = fields["qform_code"] = 0
    return _reset_spacing(fields)


def _fold_axes(fields: Any) -> bool:
    """Turn fewer or more axes into three, so that the labels can be counted; False for too many voxels."""
    sizes = [int(size) for size in fields["dim"][1 : int(fields["dim"][0]) + 1]]
    (x, y), z = (*sizes, 1, 1)[:2], prod(sizes[2:])
    if z > LONGEST_AXIS:
        return False
    fields["dim"][:4] = (3, x, y, z)
    return True


_REPAIRS: Mapping[Code, Callable[[Any], bool]] = {
    Code.BAD_SPACING: _reset_spacing,
    Code.BAD_AFFINE: _remove_forms,
    Code.NDIM: _fold_axes,
}
"""Functions that repair a header with a fault; they return whether they could."""
