"""Whether a label map holds a challenge's labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segcube.core import Code
from segcube.formats.nifti import Header, labels_digest
from segcube.release.check.findings import Finding, FindingCode, error, warning
from segcube.release.check.read_map import Decoded
from segcube.spec.challenges import BACKGROUND, Challenge, challenge_keys, load_challenge


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


DENSE = 2**16
"""Values from 0 to below this are counted in one table."""
LISTED = 6
MOST = 0.5


@dataclass(frozen=True)
class Values:
    """What the voxels of a map hold, slope and intercept applied."""

    counts: Mapping[float, int]
    """Voxels of each whole number."""
    fractions: int
    infinite: int
    """Voxels that are no finite number."""
    digest: str | None
    """Of the labels; None when there is no label or when not all voxels are labels."""

    def labelled(self, challenge: Challenge) -> dict[str, int]:
        """Voxels of each of the challenge's labels that is there, the background left out."""
        found = {
            name: self.counts.get(value, 0)
            for name, value in challenge.labels.items()
            if value != challenge.labels[BACKGROUND]
        }
        return {name: count for name, count in found.items() if count}


def read_values(decoded: Decoded) -> Values:
    """Count the values of a map."""
    stored_xyz, header = decoded.stored_xyz, decoded.header
    kind = stored_xyz.dtype.kind
    if header.scale is not None:
        slope, intercept = header.scale
        stored_xyz = stored_xyz.astype(np.float64) * slope + intercept
        kind = "f"
    if kind != "f":
        counts = _count(stored_xyz)
        return Values(counts, 0, 0, _digest(stored_xyz, counts))
    finite_xyz = np.isfinite(stored_xyz)
    whole_xyz = finite_xyz & (np.trunc(stored_xyz) == stored_xyz)
    finite, whole = int(np.count_nonzero(finite_xyz)), int(np.count_nonzero(whole_xyz))
    counts = _count(stored_xyz if whole == stored_xyz.size else stored_xyz[whole_xyz])
    digest = _digest(stored_xyz, counts) if whole == stored_xyz.size else None
    return Values(counts, finite - whole, stored_xyz.size - finite, digest)


def _count(whole_xyz: np.ndarray) -> dict[float, int]:
    """Voxels of each value of an array of whole numbers, of any shape."""
    # Most voxels are 0: what is left is counted in a moment
    others = whole_xyz[whole_xyz != 0]
    counts = {0.0: whole_xyz.size - others.size} if others.size < whole_xyz.size else {}
    if others.size == 0:
        return counts
    low, high = float(others.min()), float(others.max())
    if low >= 0 and high < DENSE:
        table = np.bincount(others.astype(np.uint16))
        return counts | {float(value): int(table[value]) for value in np.flatnonzero(table)}
    values, numbers = np.unique(others, return_counts=True)
    return counts | {float(value): int(count) for value, count in zip(values, numbers, strict=True)}


def _digest(labels_xyz: np.ndarray, counts: Mapping[float, int]) -> str | None:
    if not any(counts) or min(counts) < 0 or max(counts) >= DENSE:
        return None
    return labels_digest(labels_xyz)


def label_findings(values: Values, header: Header, challenge: Challenge, file: Path) -> Iterator[Finding]:
    """What is wrong or odd about a map's type, slope and values."""
    yield from _type_findings(header, challenge, file)
    if values.infinite:
        yield error(
            Code.NONFINITE,
            f"{values.infinite} voxels are NaN or infinite",
            file=file,
            expected="labels alone",
            hint="look for a division by 0 before the argmax",
        )
    if values.fractions:
        yield error(
            FindingCode.FRACTIONS,
            f"{values.fractions} voxels are fractions",
            file=file,
            expected="whole labels",
            hint="write labels, not probabilities; resample labels by the nearest neighbour",
        )
    unknown = {
        value: count for value, count in values.counts.items() if value not in challenge.labels.values()
    }
    if unknown:
        yield _unknown_labels(unknown, values, challenge, file)
    yield from _amount_findings(values, challenge, file)


def _type_findings(header: Header, challenge: Challenge, file: Path) -> Iterator[Finding]:
    smallest = np.min_scalar_type(max(challenge.labels.values()))
    if header.dtype.kind == "f":
        yield error(
            FindingCode.FLOAT_TYPE,
            f"stored as {header.dtype.name}",
            file=file,
            expected="an integer type, best uint8",
            hint="set the data type of the array and of the header before you write",
        )
    elif header.dtype.itemsize > smallest.itemsize:
        yield warning(
            FindingCode.WIDE_TYPE,
            f"stored as {header.dtype.name}",
            file=file,
            expected=f"{smallest.name}, which holds every label",
            hint="set the data type of the array and of the header before you write",
        )
    if header.scale is not None:
        slope, intercept = header.scale
        yield error(
            FindingCode.SCALED,
            f"slope {slope:g} and intercept {intercept:g}: not every reader applies them",
            file=file,
            expected="slope 1 and intercept 0",
            hint="reset scl_slope and scl_inter, which a header keeps from an image",
        )


def _unknown_labels(
    unknown: Mapping[float, int], values: Values, challenge: Challenge, file: Path
) -> Finding:
    listed = ", ".join(f"{value:g}" for value in sorted(unknown)[:LISTED])
    more = f" and {len(unknown) - LISTED} more" if len(unknown) > LISTED else ""
    word = "label" if len(unknown) == 1 else "labels"
    known = ", ".join(f"{value} {name}" for name, value in challenge.labels.items())
    hint = edition_hint(frozenset(values.counts), challenge)
    if not hint and len(unknown) > LISTED:
        hint = "this looks like an image, no label map"
    return error(
        FindingCode.LABELS,
        f"{word} {listed}{more} in {sum(unknown.values())} voxels",
        file=file,
        expected=f"{known} of {challenge.key}",
        hint=hint or "write the challenge's own values",
    )


def _amount_findings(values: Values, challenge: Challenge, file: Path) -> Iterator[Finding]:
    background = challenge.labels[BACKGROUND]
    total = sum(values.counts.values()) + values.fractions + values.infinite
    labelled = total - values.counts.get(background, 0)
    if labelled == 0:
        yield warning(
            FindingCode.EMPTY_MAP,
            "holds background alone",
            file=file,
            expected="some label, as most cases have one",
            hint="look at the case; a run with on_error empty writes such a map for a bad case",
        )
    elif labelled > MOST * total:
        yield warning(
            FindingCode.MOSTLY_LABELLED,
            f"{labelled / total:.0%} of its voxels are labelled",
            file=file,
            expected="mostly background",
            hint="look whether background and label are swapped",
        )
