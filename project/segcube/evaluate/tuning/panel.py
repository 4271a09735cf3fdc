"""The judges of a tuning, at work side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from segcube.evaluate.tuning.judge import Judge
from segcube.evaluate.tuning.point import Point


class Panel:
    """Judges of several cases, at work side by side."""

    def __init__(self, judges: Sequence[Judge], threads: int) -> None:
        self.judges = tuple(judges)
        self._pool = ThreadPoolExecutor(threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def scores(self, point: Point, chosen: Sequence[int]) -> list[Mapping[str, float]]:
        """Scores of the chosen cases, by index, a mapping from regions each."""
        return list(self._pool.map(lambda index: self.judges[index].scores(point), chosen))
