"""Tensors of a weights file, mapped from the disk."""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segcube.spec.submission import check_file_exists, check_sha256, read_error

HEADER = 8
"""Bytes before the header, which hold its length (safetensors' format)."""
DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1"}
"""Kinds that networks hold and numpy knows."""
BF16_BITS = 16
"""bfloat16 is the upper half of a float32."""


@dataclass(frozen=True)
class MappedWeights:
    """A weights file whose pages the system reads on access and may drop."""

    pages: mmap.mmap
    tensors: Mapping[str, np.ndarray]
    """Flat, little-endian; half precision is cast to float32, as networks use it. Others that numpy lacks are
    left out."""

    def forget(self) -> None:
        """Release the pages that have been read; the next access reads them again. What was cast stays."""
        self.pages.madvise(mmap.MADV_DONTNEED)


def map_weights(file: Path, sha256: str) -> MappedWeights:
    """Map a weights file, checked as a whole.

    Raises EnvironmentFault for a file that is missing, cannot be read, or is not the one that is asked for.
    """
    check_file_exists(file)
    try:
        with file.open("rb") as stream:
            check_sha256(hashlib.file_digest(stream, "sha256").hexdigest(), sha256, file)
            # A private copy: a library that writes to it does not change the file
            pages = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)
    except OSError as error:
        raise read_error(file, error) from error
    return MappedWeights(pages, _tensors(pages))


def _tensors(pages: mmap.mmap) -> dict[str, np.ndarray]:
    """The tensors of a file whose digest was checked, so that its header is valid."""
    length = int.from_bytes(pages[:HEADER], "little")
    header = json.loads(pages[HEADER : HEADER + length])
    data = np.frombuffer(pages, np.uint8)[HEADER + length :]
    found = {}
    for name, about in header.items():
        if name == "__metadata__":
            continue
        start, stop = about["data_offsets"]
        if about["dtype"] in DTYPES:
            found[name] = data[start:stop].view(DTYPES[about["dtype"]])
        elif about["dtype"] == "F16":
            found[name] = data[start:stop].view("<f2").astype("<f4")
        elif about["dtype"] == "BF16":
            found[name] = (data[start:stop].view("<u2").astype("<u4") << BF16_BITS).view("<f4")
    return found
