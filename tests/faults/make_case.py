"""A sound case to spoil: four channels of random voxels around nothing."""

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
"""So many random voxels would take long to pack."""


@cache
def voxels(channel: str, seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Whole numbers below 1000, 0 around them where there is room; of many voxels, each 1."""
    if np.prod(shape) > MANY:
        return np.ones(shape, dtype=np.int16)
    rng = np.random.default_rng([seed, CHANNELS.index(channel)])
    image_xyz = rng.integers(1, 1000, shape).astype(np.int16)
    for axis, size in enumerate(shape):
        if size > 4:
            image_xyz[tuple(slice(None) if a != axis else [0, -1] for a in range(3))] = 0
    return image_xyz


@dataclass(frozen=True)
class MadeCase:
    """A case folder, and ways to spoil it."""

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
        """The channel as plain NIfTI; how: what `encode` takes, and `image` for other voxels."""
        return encode(how.pop("image", self.voxels(channel)), how.pop("affine", AFFINE), **how)

    def packed(self, channel: str = "t1n", level: int = 6) -> bytes:
        return gzip.compress(self.plain(channel), level, mtime=0)

    def put(self, content: bytes, channel: str = "t1n", ending: str = ".nii.gz") -> None:
        """Put bytes in a channel's place, under an ending of choice."""
        self.file(channel).unlink(missing_ok=True)
        self.file(channel, ending).write_bytes(content)

    def store(self, channel: str = "t1n", ending: str = ".nii.gz", **how: Any) -> None:
        """Store a channel otherwise: what `plain` takes."""
        content = self.plain(channel, **how)
        self.put(gzip.compress(content, 1, mtime=0) if ending.endswith("gz") else content, channel, ending)

    def store_all(self, **how: Any) -> None:
        for channel in CHANNELS:
            self.store(channel, **how)


def make_case(folder: Path, seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> MadeCase:
    """Write a sound case; the folder's name is the case's."""
    folder.mkdir(parents=True)
    case = MadeCase(folder, seed)
    for channel in CHANNELS:
        case.store(channel, image=voxels(channel, seed, shape))
    return case


Spoil = Callable[[MadeCase], object]


@dataclass(frozen=True)
class Fault:
    """What is done to a case, and the reason code that must come of it; none where it stays sound."""

    name: str
    code: str
    spoil: Spoil


def table(code: str, **spoils: Spoil) -> list[Fault]:
    """Faults of one code, by their names."""
    return [Fault(name, code, spoil) for name, spoil in spoils.items()]
