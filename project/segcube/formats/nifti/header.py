"""Reading and checking of NIfTI-1 and NIfTI-2 headers."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, prod
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header

from segcube.core import MAX_AXIS, MAX_VOXELS, SPACING_RANGE_MM, CaseError, Code, Forms, Grid, Notice, Shape
from segcube.formats.nifti.affine import affine_notices, choose_affine
from segcube.formats.nifti.stream import NiftiStream

MAX_OFFSET = 2**24
DTYPES = {
    2: np.uint8,
    4: np.int16,
    8: np.int32,
    16: np.float32,
    64: np.float64,
    256: np.int8,
    512: np.uint16,
    768: np.uint32,
    1024: np.int64,
    1280: np.uint64,
}
ByteOrder: TypeAlias = Literal["<", ">"]
ORDERS: tuple[tuple[ByteOrder, Literal["little", "big"]], ...] = (("<", "little"), (">", "big"))
KINDS = {348: (Nifti1Header, b"n+1\0"), 540: (Nifti2Header, b"n+2\0")}
LINE_ENDS = (b"\r\n\x1a\n", b"\0\0\0\0")
"""eol_check of NIfTI-2, which detects transfers in text mode; some writers leave it empty."""


@dataclass(frozen=True)
class Header:
    """A checked header."""

    grid: Grid
    forms: Forms
    dtype: np.dtype[Any]
    """As stored, including the byte order."""
    offset: int
    """Bytes before the first voxel."""
    scale: tuple[float, float] | None
    """Slope and intercept; None for unscaled voxels."""
    description: str
    notices: tuple[Notice, ...]
    """What is unusual about it; messages without the file's name."""

    @property
    def voxel_bytes(self) -> int:
        """Size of all voxels in bytes."""
        return prod(self.grid.shape) * self.dtype.itemsize


def read_header(stream: NiftiStream) -> Header:
    """Read and check a header.

    Raises CaseError NOT_NIFTI, BAD_HEADER, NDIM, TOO_LARGE, BAD_DTYPE, BAD_SPACING or BAD_AFFINE, and as
    `NiftiStream.read` does.
    """
    return parse_header(read_fields(stream), stream.file)


def read_fields(stream: NiftiStream) -> Any:
    """Read the stored fields without checking them, as nibabel's Nifti1Header or Nifti2Header.

    Raises CaseError NOT_NIFTI, and as `NiftiStream.read` does.
    """
    size_bytes = bytes(stream.read(4, "a header"))
    size, order = _size_and_order(size_bytes, stream.file)
    kind, magic = KINDS[size]
    fields: Any = kind(size_bytes + stream.read(size - 4, "a header"), order, check=False)
    _check_magic(bytes(fields["magic"].tobytes()), magic, stream.file)
    if size == 540 and bytes(fields["eol_check"].tobytes()) not in LINE_ENDS:
        found = "was changed by a transfer in text mode"
        raise CaseError(Code.NOT_NIFTI, found, file=stream.file, hint="copy it in binary mode")
    return fields


def parse_header(fields: Any, file: Path) -> Header:
    """Check a header's fields and return what they mean. Raises CaseError as `read_header` does."""
    shape = _shape(fields, file)
    dtype = _dtype(fields, fields.endianness, file)
    offset = _offset(fields, int(fields["sizeof_hdr"]), file)
    forms = _forms(fields)
    _check_spacing(forms, file)
    affine = choose_affine(forms, shape, file)
    scale = _scale(fields, file)
    description = bytes(fields["descrip"].tobytes()).split(b"\0")[0].decode("ascii", "replace")
    return Header(
        Grid(shape, affine), forms, dtype, offset, scale, description, affine_notices(forms, affine)
    )


def _check_magic(found: bytes, expected: bytes, file: Path) -> None:
    if found == expected:
        return
    is_pair = found.startswith(b"ni")
    message = "is one half of a two-file NIfTI" if is_pair else f"has magic {found!r}"
    hint = "export it as one .nii file"
    raise CaseError(Code.NOT_NIFTI, message, file=file, expected=f"magic {expected!r}", hint=hint)


def _size_and_order(size_bytes: bytes, file: Path) -> tuple[int, ByteOrder]:
    for order, name in ORDERS:
        size = int.from_bytes(size_bytes, name)
        if size in KINDS:
            return size, order
    found = f"begins with {size_bytes!r}"
    raise CaseError(Code.NOT_NIFTI, found, file=file, expected="a NIfTI header", hint="export it as NIfTI")


def _shape(raw: Any, file: Path) -> Shape:
    dims = [int(size) for size in raw["dim"]]
    if not 1 <= dims[0] <= 7 or any(size <= 0 for size in dims[1 : dims[0] + 1]):
        raise CaseError(Code.BAD_HEADER, f"sizes {dims}", file=file, expected="1 to 7 axes of size 1 or more")
    sizes = dims[1 : dims[0] + 1]
    if len(sizes) < 3 or any(size != 1 for size in sizes[3:]):
        found = f"{len(sizes)} axes of sizes {sizes}"
        raise CaseError(Code.NDIM, found, file=file, expected="a volume with three axes")
    if prod(sizes) > MAX_VOXELS or max(sizes) > MAX_AXIS:
        expected = f"at most {MAX_VOXELS} voxels, {MAX_AXIS} along an axis"
        raise CaseError(Code.TOO_LARGE, f"{prod(sizes)} voxels, sizes {sizes}", file=file, expected=expected)
    x, y, z = sizes[:3]
    return x, y, z


def _dtype(raw: Any, order: ByteOrder, file: Path) -> np.dtype[Any]:
    code, bits = int(raw["datatype"]), int(raw["bitpix"])
    if code not in DTYPES:
        valid = "integers or floats, one value for each voxel"
        raise CaseError(Code.BAD_DTYPE, f"datatype {code}", file=file, expected=valid, hint="convert it")
    dtype = np.dtype(DTYPES[code]).newbyteorder(order)
    if bits != 8 * dtype.itemsize:
        found = f"{bits} bits per voxel of {dtype.name}"
        raise CaseError(Code.BAD_HEADER, found, file=file, expected=f"{8 * dtype.itemsize}")
    return dtype


def _offset(raw: Any, size: int, file: Path) -> int:
    # 0 is an error too: readers disagree on where the voxels then begin
    offset, least = float(raw["vox_offset"]), size + 4
    if not (isfinite(offset) and least <= offset <= MAX_OFFSET and offset.is_integer()):
        found = f"vox_offset {offset}"
        raise CaseError(Code.BAD_HEADER, found, file=file, expected=f"{least} to {MAX_OFFSET}")
    return int(offset)


def _scale(raw: Any, file: Path) -> tuple[float, float] | None:
    slope, intercept = float(raw["scl_slope"]), float(raw["scl_inter"])
    if slope == 0 or not isfinite(slope):
        return None
    if not isfinite(intercept):
        raise CaseError(Code.BAD_HEADER, f"scl_inter {intercept}", file=file, expected="a number")
    return None if (slope, intercept) == (1, 0) else (slope, intercept)


def _check_spacing(forms: Forms, file: Path) -> None:
    least, most = SPACING_RANGE_MM
    spacing = forms.pixdim[1:]
    if not all(least <= length <= most for length in spacing):
        expected = f"three spacings from {least:g} to {most:g} mm"
        raise CaseError(Code.BAD_SPACING, f"spacing {spacing}", file=file, expected=expected)


def _forms(raw: Any) -> Forms:
    rows = ("srow_x", "srow_y", "srow_z")
    quaternion = ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z")
    return Forms(
        sform_code=_narrow(raw["sform_code"]),
        sform=tuple(float(value) for row in rows for value in raw[row]),
        qform_code=_narrow(raw["qform_code"]),
        qform=tuple(float(raw[name]) for name in quaternion),
        pixdim=tuple(float(value) for value in raw["pixdim"][:4]),
        units=int(raw["xyzt_units"]) & 0xFF,
    )


def _narrow(code: Any) -> int:
    """Clip a form code to the 16 bits of NIfTI-1 label maps; NIfTI-2 has 32."""
    return max(-(2**15), min(int(code), 2**15 - 1))
