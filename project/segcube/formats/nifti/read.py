"""Reading of the channels of a case and of label maps."""

from __future__ import annotations

import mmap
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from segcube.core import Case, CaseError, Code, Forms, Grid, Notice, Volume
from segcube.formats.nifti.affine import TOLERANCE_MM, corner_distance_mm, geometry_notices, same_grid
from segcube.formats.nifti.header import Header, read_header
from segcube.formats.nifti.png import PngPart
from segcube.formats.nifti.stream import NiftiStream, open_stream
from segcube.spec.challenges import Challenge

INT16_RANGE = (-(2.0**15), 2.0**16)
"""Values of signed or unsigned 16-bit integers; the end is exclusive."""
MAX_LABEL = 2**16 - 1
MAX_KEPT_BYTES = 2
"""Size of the largest integers that stay as they are stored."""


def read_volume(case: Case, channels: Sequence[str], challenge: Challenge | None = None) -> Volume:
    """Read a case's channels, in the given order, and check that they have the reference channel's grid.

    Values do not depend on how they are stored. Voxels that are not finite become 0, with a notice. With a
    challenge, there are notices about a grid other than its usual ones. Raises CaseError.
    """
    reference = read_header_of(case.reference_file)
    parts = case.components
    found: dict[str, tuple[np.ndarray, Sequence[Notice]]] = {}
    # The reference first: as long as it may be damaged, a different grid is not the other channel's fault
    for name in sorted(channels, key=lambda name: name != case.reference):
        found[name] = _read_channel(case.files[name], reference, parts.get(name))
    notices = merge_notices({name: found[name][1] for name in channels})
    if challenge is not None:
        notices += geometry_notices(reference.grid, challenge)
    voxels = tuple(found[name][0] for name in channels)
    return Volume(case, tuple(channels), voxels, reference.grid, reference.forms, notices)


def merge_notices(found: Mapping[str, Sequence[Notice]]) -> tuple[Notice, ...]:
    """Return each notice once, prefixed with the channels that have it."""
    channels: dict[Notice, list[str]] = {}
    for name, notices in found.items():
        for notice in notices:
            channels.setdefault(notice, []).append(name)
    return tuple(Notice(n.code, f"{', '.join(names)}: {n.message}") for n, names in channels.items())


@contextmanager
def _open_voxels(file: Path, part: PngPart) -> Generator[tuple[NiftiStream, Header], None, None]:
    with open_stream(file, part) as stream:
        header = read_header(stream)
        stream.seek_voxels(header.offset, header.voxel_bytes)
        yield stream, header


def _read_channel(
    file: Path, reference: Header, component: int | None
) -> tuple[np.ndarray, tuple[Notice, ...]]:
    """Return a file's voxels, in memory in the file's order, and notices about them."""
    with _open_voxels(file, component) as (stream, header):
        mismatch = _mismatch(header.grid, reference.grid, file)
        if mismatch is not None:
            # Another grid may result from damage, which is found at the end of the stream
            stream.skip(header.voxel_bytes, "voxels")
            stream.finish()
            raise mismatch
        stored_xyz = _read_voxels(stream, header)
    channel_xyz, notices = checked_values(_scaled(stored_xyz, header), file)
    return channel_xyz, (*header.notices, *notices)


def _read_voxels(stream: NiftiStream, header: Header) -> np.ndarray:
    content = _own_pages(header.voxel_bytes)
    stream.read_into(content.data, "voxels")
    stream.finish()
    return content.view(header.dtype).reshape(header.grid.shape, order="F")


def _own_pages(count: int) -> np.ndarray:
    """Allocate bytes outside of malloc's heap, which may not return them to the system when freed."""
    try:
        pages = mmap.mmap(-1, count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"{count} bytes of voxels") from error
    return np.frombuffer(pages, dtype=np.uint8)


def _native_values(values_xyz: np.ndarray) -> np.ndarray:
    """Return integers of at most 16 bits in native byte order, everything else as float32."""
    dtype = values_xyz.dtype
    is_kept = dtype.kind in "iu" and dtype.itemsize <= MAX_KEPT_BYTES
    with np.errstate(over="ignore"):
        return values_xyz.astype(dtype.newbyteorder("=") if is_kept else np.float32, copy=False)


def _scaled(stored_xyz: np.ndarray, header: Header) -> np.ndarray:
    if header.scale is None:
        return stored_xyz
    slope, intercept = header.scale
    scaled_xyz = stored_xyz.astype(np.float64)
    scaled_xyz *= slope
    scaled_xyz += intercept
    return scaled_xyz


def checked_values(values_xyz: np.ndarray, file: Path) -> tuple[np.ndarray, tuple[Notice, ...]]:
    """Return a channel's values in their type for prediction, those that are not finite as 0, and notices.

    Raises CaseError NONFINITE when none is finite.
    """
    channel_xyz = _native_values(values_xyz)
    notices: list[Notice] = []
    low, high = float(channel_xyz.min()), float(channel_xyz.max())
    if not np.isfinite([low, high]).all():
        bad_xyz = ~np.isfinite(channel_xyz)
        too_large = int(np.count_nonzero(np.isfinite(values_xyz[bad_xyz])))
        counts = {"not finite": int(np.count_nonzero(bad_xyz)) - too_large, "beyond float32": too_large}
        found = {what: count for what, count in counts.items() if count}
        if bad_xyz.all():
            message = f"every voxel is {' or '.join(found)}"
            raise CaseError(Code.NONFINITE, message, file=file, hint="export it again")
        channel_xyz[bad_xyz] = 0
        for what, count in found.items():
            notices.append(Notice(Code.NONFINITE, f"{count} voxels are {what}; using 0"))
        low, high = float(channel_xyz.min()), float(channel_xyz.max())
    if low == high:
        notices.append(Notice(Code.CONSTANT, f"all voxels are {low:g}"))
    if low < INT16_RANGE[0] or high >= INT16_RANGE[1]:
        found = f"values from {low:g} to {high:g}, outside the range of 16-bit integers"
        notices.append(Notice(Code.RANGE, found))
    return channel_xyz, tuple(notices)


def _mismatch(grid: Grid, reference: Grid, file: Path) -> CaseError | None:
    """Return the error for a grid other than the reference channel's; None for the same grid."""
    if grid.shape != reference.shape:
        expected = f"{reference.shape}, as in the reference channel"
        hint = "resample the channels to one grid"
        return CaseError(Code.SHAPE_MISMATCH, f"shape {grid.shape}", file=file, expected=expected, hint=hint)
    if same_grid(grid, reference):
        return None
    found = f"is up to {corner_distance_mm(grid, reference):.4g} mm away from the reference channel"
    expected = f"the same affine within {TOLERANCE_MM:g} mm"
    return CaseError(
        Code.AFFINE_MISMATCH, found, file=file, expected=expected, hint="register the channels to one grid"
    )


def read_header_of(file: Path) -> Header:
    """Read a file's header only. Raises CaseError."""
    with open_stream(file, "header") as stream:
        return read_header(stream)


def read_grid(file: Path) -> tuple[Grid, Forms]:
    """Read a file's grid and forms from its header only. Raises CaseError."""
    header = read_header_of(file)
    return header.grid, header.forms


def check_size(file: Path) -> None:
    """Check that a file has the size that its header declares, without reading it. Raises CaseError."""
    with _open_voxels(file, "header"):
        pass


def read_labels(file: Path) -> tuple[np.ndarray, Grid, str]:
    """Read a label map: labels (X, Y, Z) as unsigned integers, grid, and the header's description.

    Unsigned labels keep their type, others get the smallest unsigned type; whole numbers stored as floats are
    accepted. Raises CaseError; BAD_DTYPE for fractions and negative numbers.
    """
    with _open_voxels(file, "labels") as (stream, header):
        stored_xyz = _scaled(_read_voxels(stream, header), header)
    if stored_xyz.dtype.kind == "u":
        return (
            stored_xyz.astype(stored_xyz.dtype.newbyteorder("="), copy=False),
            header.grid,
            header.description,
        )
    low, high = stored_xyz.min(), stored_xyz.max()
    if not np.isfinite([low, high]).all():
        raise CaseError(Code.NONFINITE, "has labels that are not finite", file=file, expected="whole numbers")
    if low < 0 or high > MAX_LABEL:
        found = f"has labels from {low:g} to {high:g}"
        raise CaseError(Code.BAD_DTYPE, found, file=file, expected=f"0 to {MAX_LABEL}")
    labels_xyz = stored_xyz.astype(np.min_scalar_type(int(high)))
    if stored_xyz.dtype.kind == "f" and (labels_xyz != stored_xyz).any():
        raise CaseError(Code.BAD_DTYPE, "has fractional labels", file=file, expected="whole numbers")
    return labels_xyz, header.grid, header.description
