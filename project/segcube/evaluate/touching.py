"""Touching tissue: 2024's scripts make one lesion of the parts that touch the same part of another."""

from __future__ import annotations

from itertools import product

import numpy as np

from segcube.evaluate.parts import Parts

STEPS = [step for step in product((-1, 0, 1), repeat=3) if sum(map(abs, step)) <= 2]
"""A voxel and its 18 neighbours."""


def touching_pairs(parts: Parts, others: Parts) -> list[tuple[int, int]]:
    """Which part touches which other, sorted: they do where a voxel is among the other's 18 neighbours."""
    if parts.is_empty or others.is_empty:
        return []
    points = parts.border()
    numbers = parts.ids_xyz[tuple(points.T)].astype(np.int64) * len(others.sizes)
    padded_xyz = np.pad(others.ids_xyz, 1)
    strides = np.array([padded_xyz.shape[1] * padded_xyz.shape[2], padded_xyz.shape[2], 1])
    places = (points + 1) @ strides
    pairs: set[int] = set()
    for step in STEPS:
        met = padded_xyz.ravel()[places + int(strides @ step)]
        pairs.update(np.unique((numbers + met)[met > 0]).tolist())
    return sorted(divmod(pair, len(others.sizes)) for pair in pairs)


def united_by(parts: Parts, others: Parts) -> Parts:
    """Unite the parts that touch the same part of another tissue.

    A part goes with the lowest-numbered one that it touches; parts that touch none stay as they are. Fewer
    than two touching pairs change nothing. United parts get numbers above all earlier ones.
    """
    pairs = touching_pairs(parts, others)
    if len(pairs) < 2:
        return parts
    above = len(parts.sizes)
    fresh: dict[int, int] = {}
    number_of = np.arange(above, dtype=np.int64)
    for _, other in pairs:
        fresh.setdefault(other, above + len(fresh))
    # Backwards, so that the lowest of several has the last word
    for number, other in reversed(pairs):
        number_of[number] = fresh[other]
    return parts.relabelled(number_of)
