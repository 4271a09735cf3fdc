"""Compare the reader with others: bytes are refused with a code, or read as nibabel and gzip read them."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np

from segcube.core import Case, CaseError, Code, Volume
from segcube.formats.nifti import read_volume

REFUSALS = {
    Code.TRUNCATED,
    Code.CORRUPT,
    Code.EMPTY_FILE,
    Code.NOT_NIFTI,
    Code.BAD_HEADER,
    Code.BAD_DTYPE,
    Code.BAD_SPACING,
    Code.BAD_AFFINE,
    Code.TOO_LARGE,
    Code.NDIM,
    Code.NONFINITE,
}


def read(file: Path) -> Volume | Code:
    """Read a file as the only channel of a case; returns the code if it is refused."""
    try:
        return read_volume(Case("a", {"t1": file}, "t1"), ["t1"])
    except CaseError as error:
        return error.code


def read_and_compare(content: bytes, file: Path) -> Volume | Code:
    """Write and read bytes as a file; fails if the volume differs from that of other readers."""
    file.write_bytes(content)
    found = read(file)
    if isinstance(found, Code):
        assert found in REFUSALS, found
        return found
    plain = unpacked(content) if file.name.endswith(".gz") else content
    assert plain is not None, "gzip refuses what was read"
    expected_xyz, affine = by_nibabel(plain)
    assert len(plain) == expected_end(plain), "bytes were left over"
    np.testing.assert_array_equal(found.image_cxyz[0], expected_xyz)
    if affine is not None:
        np.testing.assert_allclose(found.grid.affine, affine, rtol=1e-5, atol=1e-4)
    return found


def unpacked(content: bytes) -> bytes | None:
    """Return what Python's gzip decompresses; None if it refuses."""
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return None


def header_of(plain: bytes) -> nib.Nifti1Header:
    little = int.from_bytes(plain[:4], "little") in (348, 540)
    size = int.from_bytes(plain[:4], "little" if little else "big")
    kind = {348: nib.Nifti1Header, 540: nib.Nifti2Header}[size]
    return kind(plain[:size], "<" if little else ">", check=False)


def expected_end(plain: bytes) -> int:
    header = header_of(plain)
    sizes = [int(size) for size in header["dim"][1 : int(header["dim"][0]) + 1]]
    return int(header["vox_offset"]) + int(np.prod(sizes)) * header.get_data_dtype().itemsize


def by_nibabel(plain: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    """Return voxels of nibabel as float32, 0 where not finite, and the affine if it computes one."""
    header = header_of(plain)
    with np.errstate(all="ignore"):
        proxy = nib.arrayproxy.ArrayProxy(io.BytesIO(plain), header)
        voxels = np.asarray(proxy, dtype=np.float64 if header["scl_slope"] not in (0, 1) else None)
        image_xyz = voxels.reshape(header["dim"][1:4]).astype(np.float32)
    image_xyz[~np.isfinite(image_xyz)] = 0
    if min(int(header["sform_code"]), int(header["qform_code"])) < 0:
        # nibabel takes negative codes for forms; the standard does not
        return image_xyz, None
    try:
        return image_xyz, header.get_best_affine()
    except Exception:
        # nibabel has other bounds for unusual quaternions; the voxels are compared anyway
        return image_xyz, None
