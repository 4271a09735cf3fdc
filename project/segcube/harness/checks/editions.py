"""Other editions of a challenge, whose label values a map may hold by mistake."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from segcube.challenges import BACKGROUND, Challenge, challenge_keys, load_challenge


class _Fit(NamedTuple):
    """How well another challenge explains values, the better the greater."""

    moved: bool
    """A name that both have stands for another value."""
    exact: bool
    shared: int
    """Names that both have."""
    few: int


def edition_hint(found: frozenset[float], challenge: Challenge, exact: bool = False) -> str:
    """Which other challenge's values were written, and how the names differ; empty when none explains them.

    found: the values of a map, or of all maps of a folder. exact: only a challenge that has no further value.
    """
    explained = [
        entry
        for other in _shipped()
        if other.key != challenge.key and set(other.channel_names) == set(challenge.channel_names)
        for entry in _explain(found, challenge, other)
        if entry[0].exact or not exact
    ]
    best = max(explained, key=lambda entry: entry[0], default=None)
    return "" if best is None else f"write the values of {challenge.key}: {best[1]}"


def _explain(found: frozenset[float], challenge: Challenge, other: Challenge) -> Iterator[tuple[_Fit, str]]:
    """What the values mean in another challenge, and how well that explains them; nothing if it does not."""
    background = other.labels[BACKGROUND]
    names = {value: name for name, value in other.labels.items() if value in found and value != background}
    if not found <= {*names, background}:
        return
    moved = [f"{n} is {v}, not {challenge.labels[n]}" for v, n in names.items() if _moved(n, v, challenge)]
    foreign = [f"{n} is {v}" for v, n in names.items() if v not in challenge.labels.values()]
    if moved or foreign:
        exact = len(names) == len(other.labels) - 1
        shared = len(other.labels.keys() & challenge.labels.keys())
        fit = _Fit(bool(moved), exact, shared, -len(moved))
        yield fit, f"in {other.key} {', '.join(moved or foreign)}"


def _moved(name: str, value: int, challenge: Challenge) -> bool:
    return name in challenge.labels and challenge.labels[name] != value


@lru_cache(maxsize=1)
def _shipped() -> tuple[Challenge, ...]:
    return tuple(load_challenge(key) for key in challenge_keys())
