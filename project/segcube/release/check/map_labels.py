"""Check the values of a label map against the labels of a challenge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segcube.core import Code
from segcube.formats.nifti import Header, labels_digest
from segcube.release.check.findings import Finding, FindingCode, error, warning
from segcube.release.check.read_map import Decoded
from segcube.spec.challenges import BACKGROUND, Challenge, edition_hint

MOST_LABELS = 2**16
"""Labels lie from 0 to below this."""
LISTED = 6
"""Unknown labels that a finding lists."""
MAX_LABELLED_FRACTION = 0.5
"""Of all voxels."""


@dataclass(frozen=True)
class Values:
    """Counts of the values of a map, with slope and intercept applied."""

    counts: Mapping[float, int]
    """Number of voxels of each integer value."""
    fractions: int
    """Number of voxels with a fraction."""
    infinite: int
    """Number of voxels that are NaN or infinite."""
    digest: str | None
    """Of the labels; None for a map of zeros and for a map with other values than labels."""

    def labelled(self, challenge: Challenge) -> dict[str, int]:
        """Return the number of voxels of each label that occurs, without the background."""
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
    """Count each value of an array of whole numbers of any shape."""
    # Most voxels are 0, so counting the others alone is much faster
    others = whole_xyz[whole_xyz != 0]
    counts = {0.0: whole_xyz.size - others.size} if others.size < whole_xyz.size else {}
    values, numbers = np.unique(others, return_counts=True)
    return counts | {float(value): int(count) for value, count in zip(values, numbers, strict=True)}


def _digest(labels_xyz: np.ndarray, counts: Mapping[float, int]) -> str | None:
    if not any(counts) or min(counts) < 0 or max(counts) >= MOST_LABELS:
        return None
    return labels_digest(labels_xyz)


def label_findings(values: Values, header: Header, challenge: Challenge, file: Path) -> Iterator[Finding]:
    """Report problems of the data type, slope and values of a map."""
    yield from _type_findings(header, challenge, file)
    if values.infinite:
        yield error(Code.NONFINITE, f"{values.infinite} voxels are NaN or infinite", file=file)
    if values.fractions:
        yield error(FindingCode.FRACTIONS, f"{values.fractions} voxels are not whole numbers", file=file)
    unknown = {
        value: count for value, count in values.counts.items() if value not in challenge.labels.values()
    }
    if unknown:
        yield _unknown_labels(unknown, values, challenge, file)
    yield from _amount_findings(values, challenge, file)


def _type_findings(header: Header, challenge: Challenge, file: Path) -> Iterator[Finding]:
    smallest = np.min_scalar_type(max(challenge.labels.values()))
    if header.dtype.kind == "f":
        yield error(FindingCode.FLOAT_TYPE, f"stored as {header.dtype.name}", file=file)
    elif header.dtype.itemsize > smallest.itemsize:
        yield warning(
            FindingCode.WIDE_TYPE,
            f"stored as {header.dtype.name}",
            file=file,
            expected=f"{smallest.name}, which holds every label",
        )
    if header.scale is not None:
        slope, intercept = header.scale
        yield error(
            FindingCode.SCALED,
            f"slope {slope:g} and intercept {intercept:g}: not every reader applies them",
            file=file,
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
        hint = "this seems to be an image, not a label map"
    return error(
        FindingCode.LABELS,
        f"{word} {listed}{more} in {sum(unknown.values())} voxels",
        file=file,
        expected=f"{known} of {challenge.key}",
        hint=hint or "write the label values of the challenge",
    )


def _amount_findings(values: Values, challenge: Challenge, file: Path) -> Iterator[Finding]:
    background = challenge.labels[BACKGROUND]
    total = sum(values.counts.values()) + values.fractions + values.infinite
    labelled = total - values.counts.get(background, 0)
    if labelled == 0:
        yield warning(FindingCode.EMPTY_MAP, "contains only background", file=file)
    elif labelled > MAX_LABELLED_FRACTION * total:
        yield warning(
            FindingCode.MOSTLY_LABELLED, f"{labelled / total:.0%} of its voxels are labelled", file=file
        )
