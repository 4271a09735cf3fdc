"""Read a label map as far as it can be read, every refusal kept beside."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from segcube.core import CaseError, Code
from segcube.formats.nifti import Header, Stream, judge_header, open_stream, read_fields
from segcube.release.check.findings import Finding, FindingCode, error, warning

ROOT = 0


def file_findings(file: Path) -> Iterator[Finding]:
    """Links, permissions and owner of a map.

    The folder's own permissions are the host's, not the submission's: they are not judged.
    """
    if file.is_symlink():
        yield error(
            FindingCode.LINK,
            f"a link to {file.readlink()}",
            file=file,
            expected="the map itself: a link breaks where the folder is mounted or packed",
            hint="copy the file in its place",
        )
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
            expected="a file that the evaluator's user may read",
            hint="chmod a+r",
        )
    if status.st_uid == ROOT and owner != ROOT:
        yield warning(
            FindingCode.ROOT_OWNED,
            "belongs to root",
            file=file,
            expected="the owner of the folder around it",
            hint="start the container with --user $(id -u):$(id -g)",
        )


DAMAGE = (Code.CORRUPT, Code.TRUNCATED, Code.EMPTY_FILE)
LONGEST_AXIS = 2**15 - 1
"""NIfTI-1 stores the length of an axis in 16 bits."""


@dataclass(frozen=True)
class Decoded:
    """A map's header and voxels, the header fixed where it makes no sense."""

    axes: tuple[int, ...]
    """The lengths of all axes that the header declares, trailing ones included."""
    version: int
    """Of NIfTI: 1 or 2."""
    header: Header
    stored_xyz: np.ndarray
    """The voxels before slope and intercept."""


@dataclass(frozen=True)
class MapFile:
    """What could be read of a label map, and what was refused on the way."""

    file: Path
    faults: tuple[CaseError, ...]
    decoded: Decoded | None = None
    """None when the voxels cannot be read."""

    def refused(self, *codes: Code) -> bool:
        """Whether one of these codes is among the faults."""
        return any(fault.code in codes for fault in self.faults)


def read_map(file: Path) -> MapFile:
    """Read a label map in one pass; a header that makes no sense is told, fixed and read on.

    A damaged file has that one fault: what else is odd about it may be the damage itself.
    """
    faults: list[CaseError] = []
    try:
        with open_stream(file) as stream:
            fields = read_fields(stream)
            version = 1 if int(fields["sizeof_hdr"]) == 348 else 2
            axes = tuple(int(size) for size in fields["dim"][1 : max(int(fields["dim"][0]), 0) + 1])
            header = _judge(fields, file, faults)
            stored_xyz = _read_voxels(stream, header, faults)
    except CaseError as fault:
        return MapFile(file, (fault,) if fault.code in DAMAGE else (*faults, fault))
    return MapFile(file, tuple(faults), Decoded(axes, version, header, stored_xyz))


def _judge(fields: Any, file: Path, faults: list[CaseError]) -> Header:
    while True:
        try:
            return judge_header(fields, file)
        except CaseError as fault:
            if fault.code not in _MENDS or not _MENDS[fault.code](fields):
                raise
            faults.append(fault)


def _read_voxels(stream: Stream, header: Header, faults: list[CaseError]) -> np.ndarray:
    stream.go_to_voxels(header.offset, header.voxel_bytes)
    content = np.empty(header.voxel_bytes, dtype=np.uint8)
    stream.read_into(content.data, "voxels")
    try:
        stream.finish()
    except CaseError as fault:
        if fault.code is not Code.TOO_LARGE:
            raise
        faults.append(fault)
        stream.expect_undamaged()
    return content.view(header.dtype).reshape(header.grid.shape, order="F")


def _mend_spacing(fields: Any) -> bool:
    fields["pixdim"][1:4] = 1
    return True


def _forget_forms(fields: Any) -> bool:
    fields["sform_code"] = fields["qform_code"] = 0
    return _mend_spacing(fields)


def _fold_axes(fields: Any) -> bool:
    """Make three axes of fewer or more: the labels can be judged, their places cannot."""
    sizes = [int(size) for size in fields["dim"][1 : int(fields["dim"][0]) + 1]]
    (x, y), z = (*sizes, 1, 1)[:2], prod(sizes[2:])
    if z > LONGEST_AXIS:
        return False
    fields["dim"][:4] = (3, x, y, z)
    return True


_MENDS: Mapping[Code, Callable[[Any], bool]] = {
    Code.BAD_SPACING: _mend_spacing,
    Code.BAD_AFFINE: _forget_forms,
    Code.NDIM: _fold_axes,
}
