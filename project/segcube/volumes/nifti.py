"""Read the channels of a case, and label maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segcube.errors import CaseError, Code
from segcube.types import Case, Forms, Grid, Notice, Volume
from segcube.volumes.affine import TOLERANCE_MM
from segcube.volumes.header import Header, read_header
from segcube.volumes.stream import open_stream


def read_volume(case: Case, channels: Sequence[str]) -> Volume:
    """Read a case's channels onto one grid, that of its reference channel.

    Returns float32 (C, X, Y, Z) in the order of `channels`; the same voxels give the same floats, however
    they are stored. Single voxels that are not finite become 0, with a notice. Raises CaseError.
    """
    files = {name: case.files[name] for name in dict.fromkeys([case.reference, *channels])}
    reference, _ = read_header_of(case.reference_file)
    image_cxyz = np.empty((len(channels), *reference.grid.shape), dtype=np.float32)
    notices: list[Notice] = []
    for index, name in enumerate(channels):
        header = _read_channel(files[name], reference, image_cxyz[index], notices)
        notices += header.notices
    return Volume(case, tuple(channels), image_cxyz, reference.grid, reference.forms, tuple(notices))


def _read_channel(file: Path, reference: Header, channel_xyz: np.ndarray, notices: list[Notice]) -> Header:
    """Read a file's voxels into `channel_xyz`."""
    with open_stream(file) as stream:
        header, read = read_header(stream)
        _same_grid(header.grid, reference.grid, file)
        stream.read(header.offset - read, "a header")
        raw = stream.read(header.voxel_bytes, "voxels")
        stream.finish(header.offset + header.voxel_bytes)
    stored_xyz = np.frombuffer(raw, header.dtype).reshape(header.grid.shape, order="F")
    with np.errstate(over="ignore"):
        channel_xyz[...] = _scaled(stored_xyz, header)
    _check_values(channel_xyz, file, notices)
    return header


def _scaled(stored_xyz: np.ndarray, header: Header) -> np.ndarray:
    if header.scale is None:
        return stored_xyz
    slope, intercept = header.scale
    return stored_xyz.astype(np.float64) * slope + intercept


def _check_values(channel_xyz: np.ndarray, file: Path, notices: list[Notice]) -> None:
    low, high = float(channel_xyz.min()), float(channel_xyz.max())
    if not np.isfinite([low, high]).all():
        bad_xyz = ~np.isfinite(channel_xyz)
        count = int(np.count_nonzero(bad_xyz))
        if count == bad_xyz.size:
            raise CaseError(Code.NONFINITE, "no voxel is finite", file=file, mend="export it again")
        channel_xyz[bad_xyz] = 0
        notices.append(Notice(Code.NONFINITE, f"{file.name}: {count} voxels are not finite and count as 0"))
        low, high = float(channel_xyz.min()), float(channel_xyz.max())
    if low == high:
        notices.append(Notice(Code.CONSTANT, f"{file.name}: every voxel is {low:g}"))


def _same_grid(grid: Grid, reference: Grid, file: Path) -> None:
    if grid.shape != reference.shape:
        raise CaseError(
            Code.SHAPE_MISMATCH,
            f"shape {grid.shape}",
            file=file,
            expected=f"{reference.shape}, the reference's",
            mend="resample the channels onto one grid",
        )
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * [*grid.shape, 1]
    apart = float(np.abs(corners @ (grid.affine - reference.affine).T).max())
    if apart > TOLERANCE_MM:
        raise CaseError(
            Code.AFFINE_MISMATCH,
            f"lies up to {apart:.4g} mm from the reference channel",
            file=file,
            expected=f"one affine within {TOLERANCE_MM:g} mm",
            mend="register the channels onto one grid",
        )


def read_header_of(file: Path) -> tuple[Header, int]:
    """A file's header alone, with the bytes that were read. Raises CaseError."""
    with open_stream(file) as stream:
        return read_header(stream)


def read_grid(file: Path) -> tuple[Grid, Forms]:
    """A file's grid and forms, from its header alone. Raises CaseError."""
    header, _ = read_header_of(file)
    return header.grid, header.forms


def read_labels(file: Path) -> tuple[np.ndarray, Grid, str]:
    """Read a label map: its integers (X, Y, Z), its grid and its header's description.

    Whole numbers that are stored as floats count as integers. Raises CaseError; BAD_DTYPE for fractions.
    """
    with open_stream(file) as stream:
        header, read = read_header(stream)
        stream.read(header.offset - read, "a header")
        raw = stream.read(header.voxel_bytes, "voxels")
        stream.finish(header.offset + header.voxel_bytes)
    stored_xyz = _scaled(np.frombuffer(raw, header.dtype).reshape(header.grid.shape, order="F"), header)
    if stored_xyz.dtype.kind == "f":
        if not np.isfinite(stored_xyz).all():
            raise CaseError(Code.NONFINITE, "labels that are not finite", file=file, expected="whole numbers")
        if (stored_xyz != np.rint(stored_xyz)).any():
            raise CaseError(Code.BAD_DTYPE, "fractions", file=file, expected="whole numbers as labels")
    return (
        stored_xyz.astype(np.int64 if stored_xyz.dtype.kind == "f" else stored_xyz.dtype.newbyteorder("=")),
        header.grid,
        header.description,
    )
