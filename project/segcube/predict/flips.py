"""Test-time mirrors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations


def mirrors(axes: Sequence[int]) -> list[tuple[int, ...]]:
    """Every combination of axes to mirror, the plain view first; no axes give the plain view alone."""
    return [chosen for size in range(len(axes) + 1) for chosen in combinations(sorted(axes), size)]


def mirror_axes(flips: Sequence[str], axes: str) -> tuple[int, ...]:
    """The array axes of mirrors named x, y, z in a branch whose array axes are `axes`, such as zyx."""
    return tuple(sorted(axes.index(name) for name in flips))
