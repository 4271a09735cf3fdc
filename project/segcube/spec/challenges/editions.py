"""Recognise label values of another challenge, such as an earlier edition."""

from __future__ import annotations

from functools import lru_cache

from segcube.spec.challenges.catalogue import challenge_keys, load_challenge
from segcube.spec.challenges.schema import BACKGROUND, Challenge


def edition_hint(found: frozenset[float], challenge: Challenge, exact: bool = False) -> str:
    """Return a hint if the values are those of another challenge, such as an earlier edition; else "".

    found: the values of a map, or of all maps of a folder. exact: only challenges all of whose values are
    found.
    """
    best, hint = (False, False, 0, 0), ""
    for other in _all_challenges():
        if other.key == challenge.key or set(other.channel_names) != set(challenge.channel_names):
            continue
        background = other.labels[BACKGROUND]
        names = {v: name for name, v in other.labels.items() if v in found and v != background}
        own = challenge.labels
        moved = [f"{n} is {v}, not {own[n]}" for v, n in names.items() if own.get(n, v) != v]
        foreign = [f"{n} is {v}" for v, n in names.items() if v not in own.values()]
        all_found = len(names) == len(other.labels) - 1
        if not found <= {*names, background} or not (moved or foreign) or (exact and not all_found):
            continue
        # Best: a name of both has another value, all values are there, more names in common, fewer moved
        fit = bool(moved), all_found, len(other.labels.keys() & own.keys()), -len(moved)
        if not hint or fit > best:
            best, hint = (
                fit,
                f"write the values of {challenge.key}: in {other.key} " + ", ".join(moved or foreign),
            )
    return hint


@lru_cache(maxsize=1)
def _all_challenges() -> tuple[Challenge, ...]:
    return tuple(load_challenge(key) for key in challenge_keys())
