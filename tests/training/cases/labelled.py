"""Labelled synthetic cases to apply faults to: those of the input's faults, with a label map each."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...faults.make_case import SHAPE, SyntheticCase, make_case

COUNT = 6
BAD = 2
"""The case that a fault is applied to."""


def name_of(number: int, scan: int = 0) -> str:
    return f"BraTS-GLI-{number:05d}-{scan:03d}"


@cache
def labels(seed: int) -> np.ndarray:
    """The labels 0 to 3 of brats2023-gli, mostly 0, where the image is not 0; other ones for each seed."""
    rng = np.random.default_rng([seed, 99])
    labels_xyz = np.zeros(SHAPE, np.uint8)
    labels_xyz[2:6, 3:9, 2:8] = rng.integers(1, 4, (4, 6, 6))
    return labels_xyz


class LabelFile(SyntheticCase):
    """The label map of a case, which faults of a channel can be applied to."""

    def file(self, channel: str = "seg", ending: str = ".nii.gz") -> Path:
        return super().file("seg" if channel == "t1n" else channel, ending)

    def voxels(self, channel: str = "seg") -> np.ndarray:  # noqa: ARG002
        return labels(self.seed)

    def plain(self, channel: str = "seg", **how: Any) -> bytes:
        return super().plain(channel, **how)

    def packed(self, channel: str = "seg", level: int = 6) -> bytes:
        return super().packed(channel, level)

    def put(self, content: bytes, channel: str = "seg", ending: str = ".nii.gz") -> None:
        super().put(content, channel, ending)

    def store(self, channel: str = "seg", ending: str = ".nii.gz", **how: Any) -> None:
        super().store(channel, ending, **how)


def make_labelled(folder: Path, seed: int) -> SyntheticCase:
    """Write a valid case with its label map beside the images."""
    case = make_case(folder, seed)
    LabelFile(folder, seed).store()
    return case


def make_data(folder: Path, count: int = COUNT) -> Path:
    """Write valid cases of as many patients."""
    for number in range(count):
        make_labelled(folder / name_of(number), number)
    return folder


@dataclass(frozen=True)
class Damaged:
    """A data folder, and the case to damage."""

    data: Path

    def case(self, number: int = BAD) -> SyntheticCase:
        return SyntheticCase(self.data / name_of(number), number)

    def label(self, number: int = BAD) -> LabelFile:
        return LabelFile(self.data / name_of(number), number)

    def copy(self, source: Path, target: Path) -> None:
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)


@dataclass(frozen=True)
class DataFault:
    """A change of a valid data folder, and the problem that must result."""

    name: str
    code: str
    apply: Callable[[Damaged], object]
    names: str
    """Part of the message: the file or folder that is wrong."""
    is_error: bool = True
    hint: str = ""
    """Another part of the message."""
    ignore: int | None = None
