"""A valid case to apply faults to: four channels of random voxels with a margin of zeros."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..formats.nifti.conftest import AFFINE, encode

CHANNELS = ("t1c", "t1n", "t2f", "t2w")
REFERENCE = "t1c"
SHAPE = (14, 12, 10)
MANY = 10**6
"""More random voxels than this take long to compress."""


@cache
def voxels(channel: str, seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Return whole numbers below 1000 with a margin of zeros if there is room; all 1 for many voxels."""
    if np.prod(shape) > MANY:
        return np.ones(shape, dtype=np.int16)
    rng = np.random.default_rng([seed, CHANNELS.index(channel)])
    image_xyz = rng.integers(1, 1000, shape).astype(np.int16)
    for axis, size in enumerate(shape):
        if size > 4:
            image_xyz[tuple(slice(None) if a != axis else [0, -1] for a in range(3))] = 0
    return image_xyz


@dataclass(frozen=True)
class SyntheticCase:
    """A case folder, and changes to its files."""

    folder: Path
    seed: int = 0

    @property
    def name(self) -> str:
        return self.folder.name

    def file(self, channel: str = "t1n", ending: str = ".nii.gz") -> Path:
        return self.folder / f"{self.name}-{channel}{ending}"

    def voxels(self, channel: str = "t1n") -> np.ndarray:
        return voxels(channel, self.seed)

    def plain(self, channel: str = "t1n", **how: Any) -> bytes:
        """Return the channel as uncompressed NIfTI; how: as for `encode`, or `image` to replace voxels."""
        return encode(how.pop("image", self.voxels(channel)), how.pop("affine", AFFINE), **how)

    def packed(self, channel: str = "t1n", level: int = 6) -> bytes:
        return gzip.compress(self.plain(channel), level, mtime=0)

    def put(self, content: bytes, channel: str = "t1n", ending: str = ".nii.gz") -> None:
        """Replace a channel's file by these bytes, with the given extension."""
        self.file(channel).unlink(missing_ok=True)
        self.file(channel, ending).write_bytes(content)

    def store(self, channel: str = "t1n", ending: str = ".nii.gz", **how: Any) -> None:
        """Store a channel differently; arguments as for `plain`."""
        content = self.plain(channel, **how)
        self.put(gzip.compress(content, 1, mtime=0) if ending.endswith("gz") else content, channel, ending)

    def store_all(self, **how: Any) -> None:
        for channel in CHANNELS:
            self.store(channel, **how)


def make_case(folder: Path, seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> SyntheticCase:
    """Write a valid case, named after the folder."""
    folder.mkdir(parents=True)
    case = SyntheticCase(folder, seed)
    for channel in CHANNELS:
        case.store(channel, image=voxels(channel, seed, shape))
    return case


ApplyFault = Callable[[SyntheticCase], object]


@dataclass(frozen=True)
class Fault:
    """A change of a case, and the reason code that must result; none if the case stays valid."""

    name: str
    code: str
    apply: ApplyFault


def table(code: str, **changes: ApplyFault) -> list[Fault]:
    """Return faults of one code, by name."""
    return [Fault(name, code, apply) for name, apply in changes.items()]
