"""Read the channels of a case, and label maps."""

from __future__ import annotations

import mmap
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from segcube.core import Case, CaseError, Code, Forms, Grid, Notice, Volume
from segcube.formats.nifti.affine import TOLERANCE_MM, geometry_notices, millimetres_apart, same_place
from segcube.formats.nifti.header import Header, read_header
from segcube.formats.nifti.stream import Stream, open_stream
from segcube.spec.challenges import Challenge

USUAL = (-(2.0**15), 2.0**16)
"""What the 16 bits of a scanner hold, signed or not; the end does not count."""
MAX_LABEL = 2**16 - 1
SHORT_BYTES = 2


def read_volume(case: Case, channels: Sequence[str], challenge: Challenge | None = None) -> Volume:
    """Read a case's channels onto one grid, that of its reference channel.

    Its voxels come in the order of `channels`; the same ones have the same values, however they are stored.
    Single voxels that are not finite become 0, with a notice; so does a grid unlike the
    challenge's, if one is given. Raises CaseError.
    """
    reference = read_header_of(case.reference_file)
    found: dict[str, tuple[np.ndarray, Sequence[Notice]]] = {}
    # The reference first: until its gzip stream proves sound, no other can be blamed for lying elsewhere
    for name in sorted(channels, key=lambda name: name != case.reference):
        found[name] = _read_channel(case.files[name], reference)
    notices = _merged({name: found[name][1] for name in channels})
    if challenge is not None:
        notices += geometry_notices(reference.grid, challenge)
    voxels = tuple(found[name][0] for name in channels)
    return Volume(case, tuple(channels), voxels, reference.grid, reference.forms, notices)


def _merged(found: dict[str, Sequence[Notice]]) -> tuple[Notice, ...]:
    """Each notice once, with the channels that have it."""
    channels: dict[Notice, list[str]] = {}
    for name, notices in found.items():
        for notice in notices:
            channels.setdefault(notice, []).append(name)
    return tuple(Notice(n.code, f"{', '.join(names)}: {n.message}") for n, names in channels.items())


@contextmanager
def _open_voxels(file: Path) -> Generator[tuple[Stream, Header], None, None]:
    with open_stream(file) as stream:
        header = read_header(stream)
        stream.go_to_voxels(header.offset, header.voxel_bytes)
        yield stream, header


def _read_channel(file: Path, reference: Header) -> tuple[np.ndarray, tuple[Notice, ...]]:
    """A file's voxels, in memory as they lie in the file, and what is odd about them."""
    with _open_voxels(file) as (stream, header):
        mismatch = _mismatch(header.grid, reference.grid, file)
        if mismatch is not None:
            # A file that is not whole may lie elsewhere for that reason
            stream.pass_over(header.voxel_bytes, "voxels")
            stream.finish()
            raise mismatch
        stored_xyz = _read_voxels(stream, header)
    channel_xyz = _native(_scaled(stored_xyz, header))
    return channel_xyz, (*header.notices, *_value_notices(channel_xyz, file))


def _read_voxels(stream: Stream, header: Header) -> np.ndarray:
    content = _own_pages(header.voxel_bytes)
    stream.read_into(content.data, "voxels")
    stream.finish()
    return content.view(header.dtype).reshape(header.grid.shape, order="F")


def _own_pages(count: int) -> np.ndarray:
    """So many bytes outside of malloc's heap, which would keep them when the case is over."""
    try:
        pages = mmap.mmap(-1, count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"{count} bytes of voxels") from error
    return np.frombuffer(pages, dtype=np.uint8)


def _native(values_xyz: np.ndarray) -> np.ndarray:
    """Integers of at most 16 bits as they are, in this machine's byte order; all others as float32."""
    dtype = values_xyz.dtype
    is_short = dtype.kind in "iu" and dtype.itemsize <= SHORT_BYTES
    with np.errstate(over="ignore"):
        return values_xyz.astype(dtype.newbyteorder("=") if is_short else np.float32, copy=False)


def _scaled(stored_xyz: np.ndarray, header: Header) -> np.ndarray:
    if header.scale is None:
        return stored_xyz
    slope, intercept = header.scale
    scaled_xyz = stored_xyz.astype(np.float64)
    scaled_xyz *= slope
    scaled_xyz += intercept
    return scaled_xyz


def _value_notices(channel_xyz: np.ndarray, file: Path) -> Iterable[Notice]:
    """What is odd about a channel's values; those that are not finite become 0.

    Raises CaseError NONFINITE when none is finite.
    """
    low, high = float(channel_xyz.min()), float(channel_xyz.max())
    if not np.isfinite([low, high]).all():
        bad_xyz = ~np.isfinite(channel_xyz)
        count = int(np.count_nonzero(bad_xyz))
        if count == bad_xyz.size:
            raise CaseError(Code.NONFINITE, "no voxel is finite", file=file, hint="export it again")
        channel_xyz[bad_xyz] = 0
        yield Notice(Code.NONFINITE, f"{count} voxels are not finite and count as 0")
        low, high = float(channel_xyz.min()), float(channel_xyz.max())
    if low == high:
        yield Notice(Code.CONSTANT, f"every voxel is {low:g}")
    if low < USUAL[0] or high >= USUAL[1]:
        yield Notice(Code.RANGE, f"values from {low:g} to {high:g}, more than 16 bits hold")


def _mismatch(grid: Grid, reference: Grid, file: Path) -> CaseError | None:
    """What keeps a channel from lying on the reference's grid; None if nothing does."""
    if grid.shape != reference.shape:
        return CaseError(
            Code.SHAPE_MISMATCH,
            f"shape {grid.shape}",
            file=file,
            expected=f"{reference.shape}, the reference's",
            hint="resample the channels onto one grid",
        )
    if same_place(grid, reference):
        return None
    return CaseError(
        Code.AFFINE_MISMATCH,
        f"lies up to {millimetres_apart(grid, reference):.4g} mm from the reference channel",
        file=file,
        expected=f"one affine within {TOLERANCE_MM:g} mm",
        hint="register the channels onto one grid",
    )


def read_header_of(file: Path) -> Header:
    """A file's header alone. Raises CaseError."""
    with open_stream(file) as stream:
        return read_header(stream)


def read_grid(file: Path) -> tuple[Grid, Forms]:
    """A file's grid and forms, from its header alone. Raises CaseError."""
    header = read_header_of(file)
    return header.grid, header.forms


def check_size(file: Path) -> None:
    """Refuse, by header and size alone, a file that holds more or less than it declares. Raises CaseError."""
    with _open_voxels(file):
        pass


def read_labels(file: Path) -> tuple[np.ndarray, Grid, str]:
    """Read a label map: its labels (X, Y, Z), unsigned, its grid and its header's description.

    Labels come as they are stored if that is unsigned, else in the smallest unsigned type; whole numbers that
    are stored as floats count. Raises CaseError; BAD_DTYPE for fractions and numbers below 0.
    """
    with _open_voxels(file) as (stream, header):
        stored_xyz = _scaled(_read_voxels(stream, header), header)
    if stored_xyz.dtype.kind == "u":
        return (
            stored_xyz.astype(stored_xyz.dtype.newbyteorder("="), copy=False),
            header.grid,
            header.description,
        )
    low, high = stored_xyz.min(), stored_xyz.max()
    if not np.isfinite([low, high]).all():
        raise CaseError(Code.NONFINITE, "labels that are not finite", file=file, expected="whole numbers")
    if low < 0 or high > MAX_LABEL:
        raise CaseError(
            Code.BAD_DTYPE, f"labels from {low:g} to {high:g}", file=file, expected=f"0 to {MAX_LABEL}"
        )
    labels_xyz = stored_xyz.astype(np.min_scalar_type(int(high)))
    if stored_xyz.dtype.kind == "f" and (labels_xyz != stored_xyz).any():
        raise CaseError(Code.BAD_DTYPE, "fractions", file=file, expected="whole numbers as labels")
    return labels_xyz, header.grid, header.description
