"""Probabilities that `segcube infer --save-probabilities` wrote, read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast
from zipfile import BadZipFile

import numpy as np

from segcube.core import Box, CaseError, Code, Grid, Shape


@dataclass(frozen=True)
class Saved:
    """A stage's probabilities inside a box of the native grid; around it all is certain background."""

    names: tuple[str, ...]
    kind: Literal["regions", "labels"]
    probabilities_kxyz: np.ndarray
    """On the box."""
    box: Box
    grid: Grid

    @property
    def background_k(self) -> list[float]:
        """What stands outside the box, a channel each."""
        return [float(self.kind == "labels" and index == 0) for index in range(len(self.names))]

    def within(self, frame: Box) -> np.ndarray:
        """The probabilities (K, X, Y, Z) of a box of the native grid, of their own type."""
        shape = (len(self.names), *frame.shape)
        framed_kxyz = np.empty(shape, dtype=self.probabilities_kxyz.dtype)
        framed_kxyz[...] = np.reshape(self.background_k, (-1, 1, 1, 1))
        start = [max(a, b) for a, b in zip(self.box.start, frame.start, strict=True)]
        stop = [min(a, b) for a, b in zip(self.box.stop, frame.stop, strict=True)]
        if all(a < b for a, b in zip(start, stop, strict=True)):
            common = Box(_shape(start), _shape(stop))
            inside_kxyz = _moved(common, self.box.start).apply(self.probabilities_kxyz)
            _moved(common, frame.start).apply(framed_kxyz)[...] = inside_kxyz
        return framed_kxyz


def read_saved(file: Path) -> Saved:
    """Read one .npz of saved probabilities. Raises CaseError UNREADABLE when it is none."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            kind = str(content["kind"])
            box = Box(_shape(content["box_start"].tolist()), _shape(content["box_stop"].tolist()))
            saved = Saved(
                tuple(str(name) for name in content["names"]),
                cast(Literal["regions", "labels"], kind),
                content["probabilities_kxyz"],
                box,
                Grid(_shape(content["shape"].tolist()), content["affine"]),
            )
    except (OSError, ValueError, KeyError, BadZipFile, EOFError) as error:
        raise _unreadable(file, f"{type(error).__name__}: {error}") from error
    if kind not in ("regions", "labels") or saved.probabilities_kxyz.shape != (len(saved.names), *box.shape):
        raise _unreadable(file, f"{kind} of shape {saved.probabilities_kxyz.shape}")
    return saved


def _unreadable(file: Path, found: str) -> CaseError:
    return CaseError(
        Code.UNREADABLE,
        found,
        file=file,
        expected="probabilities of `segcube infer --save-probabilities`",
        hint="save them again",
    )


def _shape(values: Sequence[int]) -> Shape:
    x, y, z = (int(value) for value in values)
    return x, y, z


def _moved(box: Box, origin: Shape) -> Box:
    start = [a - b for a, b in zip(box.start, origin, strict=True)]
    stop = [a - b for a, b in zip(box.stop, origin, strict=True)]
    return Box(_shape(start), _shape(stop))
