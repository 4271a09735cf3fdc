"""Tiny NIfTI files, valid and invalid."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from segcube.core import Case, Volume
from segcube.formats.nifti import read_volume

AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])
SHAPE = (4, 3, 2)


def voxels(shape=SHAPE, dtype=np.int16) -> np.ndarray:
    """0, 1, 2 and so on."""
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def encode(
    image: np.ndarray, affine=AFFINE, fields: dict[str, Any] | None = None, order="<", kind=nib.Nifti1Header
) -> bytes:
    """Encode an image as NIfTI, with header fields replaced by valid or invalid values."""
    header = kind(endianness=order)
    header.set_data_shape(image.shape)
    header.set_data_dtype(image.dtype)
    header.set_sform(affine, 1)
    header.set_qform(affine, 1)
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["magic"] = b"n+1" if kind is nib.Nifti1Header else b"n+2\0\r\n\032\n"
    start = int(header.single_vox_offset)
    header["vox_offset"] = start
    for name, value in (fields or {}).items():
        header[name] = value
    stored = image.astype(image.dtype.newbyteorder(order)).tobytes(order="F")
    return header.binaryblock.ljust(start, b"\0") + stored


@pytest.fixture
def read_one(tmp_path) -> Callable[..., Volume]:
    """Read bytes as the only channel of a case."""

    def read(content: bytes, name: str = "a.nii.gz", pack: bool | None = None) -> Volume:
        file = tmp_path / name
        packed = name.endswith(".gz") if pack is None else pack
        file.write_bytes(gzip.compress(content) if packed else content)
        return read_volume(Case("a", {"t1": file}, "t1"), ["t1"])

    return read


@pytest.fixture
def make_pair(tmp_path) -> Callable[..., Case]:
    """Write a case of two channels from their bytes; the first is the reference."""

    def write(first: bytes, second: bytes) -> Case:
        files: dict[str, Path] = {}
        for name, content in (("t1", first), ("t2", second)):
            files[name] = tmp_path / f"{name}.nii.gz"
            files[name].write_bytes(gzip.compress(content))
        return Case("a", files, "t1")

    return write
