"""The cases of a tuning: saved probabilities and reference labels, cropped to all possible lesions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Literal, cast
from zipfile import BadZipFile

import numpy as np

from segcube.core import Box, CaseError, Code, Grid, Shape, Vector, bounding_box
from segcube.formats.nifti import read_labels
from segcube.tools.tune.search_space import Weights

SAME_PLACE = 1e-2
"""Affines that differ by less, in mm, are the same."""


@dataclass(frozen=True)
class SavedProbabilities:
    """A stage's probabilities inside a box of the native grid; outside of it everything is background."""

    names: tuple[str, ...]
    kind: Literal["regions", "labels"]
    probabilities_kxyz: np.ndarray
    """On the box."""
    box: Box
    grid: Grid

    def within(self, frame: Box) -> np.ndarray:
        """Crop or pad to a box of the native grid: (K, X, Y, Z) of the same type."""
        framed_kxyz = np.zeros((len(self.names), *frame.shape), dtype=self.probabilities_kxyz.dtype)
        framed_kxyz[:1] = self.kind == "labels"
        common = self.box.intersection(frame)
        common.relative_to(frame).apply(framed_kxyz)[...] = common.relative_to(self.box).apply(
            self.probabilities_kxyz
        )
        return framed_kxyz

    def summed(self, names: tuple[str, ...], sums_rk: np.ndarray | None) -> SavedProbabilities:
        """Return the regions (R,) that sum channels (K,); None changes nothing."""
        if sums_rk is None:
            return self
        summed_rxyz = np.tensordot(sums_rk, self.probabilities_kxyz, axes=1).astype(np.float32, copy=False)
        return replace(self, names=names, kind="regions", probabilities_kxyz=summed_rxyz)


def read_saved(file: Path) -> SavedProbabilities:
    """Read a file of `segcube infer --save-probabilities`. Raises CaseError UNREADABLE for any other file."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            saved = SavedProbabilities(
                tuple(str(name) for name in content["names"]),
                cast(Literal["regions", "labels"], str(content["kind"])),
                content["probabilities_kxyz"],
                Box(_shape(content["box_start"]), _shape(content["box_stop"])),
                Grid(_shape(content["shape"]), content["affine"]),
            )
    except (OSError, ValueError, KeyError, BadZipFile, EOFError) as error:
        raise _unreadable(file, f"{type(error).__name__}: {error}") from error
    shape = saved.probabilities_kxyz.shape
    if saved.kind not in ("regions", "labels") or shape != (len(saved.names), *saved.box.shape):
        raise _unreadable(file, f"{saved.kind} of shape {shape}")
    return saved


def _unreadable(file: Path, found: str, expected: str = "probabilities") -> CaseError:
    expected += " of `segcube infer --save-probabilities`"
    return CaseError(Code.UNREADABLE, found, file=file, expected=expected, hint="save them again")


@dataclass(frozen=True)
class TuningCase:
    """A case inside the box of its native grid that holds all lesions, true and possible."""

    name: str
    names: tuple[str, ...]
    kind: Literal["regions", "labels"]
    merged_kxyz: np.ndarray
    """float32: the probabilities of the run's label map."""
    members_mkxyz: np.ndarray
    """float16, of each member; none where weights are not searched."""
    weights: Weights
    """At which the members were merged."""
    reference_xyz: np.ndarray
    spacing: Vector


@dataclass(frozen=True)
class RegionSums:
    """How members with different outputs make the same regions."""

    names: tuple[str, ...]
    matrices: tuple[np.ndarray | None, ...]
    """Of each member, (R, K): 1 for the channels that a region sums; None where they are the regions."""


@dataclass(frozen=True)
class CaseFiles:
    """Saved probabilities of each member and their merged ones; None where the members are to be averaged.

    sums: of members with different outputs.
    """

    members: tuple[Path, ...]
    reference: Path
    merged: Path | None = None
    sums: RegionSums | None = None


@dataclass(frozen=True)
class CaseLimits:
    """floor: the lowest threshold of the search. margin: voxels around lesions that their scores depend on.

    ignore: the value in the reference of voxels that are not scored: background in both maps.
    """

    floor: float
    margin: int
    ignore: int | None = None


def read_case(name: str, files: CaseFiles, weights: Weights, limits: CaseLimits) -> TuningCase:
    """Read one case from its saved probabilities and its reference label map.

    weights: of the members; none for equal ones. Raises CaseError for an unreadable file, and SHAPE_MISMATCH
    or AFFINE_MISMATCH for different grids.
    """
    paths = [*([files.merged] if files.merged else []), *files.members]
    saved = [read_saved(file) for file in paths]
    if files.sums is not None:
        pairs = zip(saved, files.sums.matrices, strict=True)
        saved = [one.summed(files.sums.names, sums_rk) for one, sums_rk in pairs]
    merged, members = saved[0], saved[1:] if files.merged else saved
    labels_xyz, grid, _ = read_labels(files.reference)
    if merged.probabilities_kxyz.dtype != np.float32:
        found = f"probabilities of {merged.probabilities_kxyz.dtype}"
        raise _unreadable(paths[0], found, "float32 probabilities")
    for one, file in zip(saved, paths, strict=True):
        if one.grid.shape != grid.shape:
            raise CaseError(Code.SHAPE_MISMATCH, f"{one.grid.shape}", file=file, expected=f"{grid.shape}")
        if not np.allclose(one.grid.affine, grid.affine, atol=SAME_PLACE):
            expected = f"that of {files.reference}"
            raise CaseError(Code.AFFINE_MISMATCH, "another affine", file=file, expected=expected)
        if (one.names, one.kind) != (merged.names, merged.kind):
            found = f"{one.kind} {', '.join(one.names)}"
            raise CaseError(Code.UNREADABLE, found, file=file, expected=f"those of {paths[0]}")
    frame = _frame(saved, labels_xyz, limits)
    framed_mkxyz = [member.within(frame) for member in members]
    merged_kxyz = (
        merged.within(frame) if files.merged else np.asarray(np.mean(framed_mkxyz, axis=0), dtype=np.float32)
    )
    members_mkxyz = np.empty((len(members), len(merged.names), *frame.shape), dtype=np.float16)
    for index, member_kxyz in enumerate(framed_mkxyz):
        members_mkxyz[index] = member_kxyz
    reference_xyz = frame.apply(labels_xyz).copy()
    if limits.ignore is not None:
        ignored_xyz = reference_xyz == limits.ignore
        reference_xyz[ignored_xyz] = 0
        for probabilities_kxyz in (merged_kxyz, *members_mkxyz):
            probabilities_kxyz[:, ignored_xyz] = 0
            probabilities_kxyz[:1, ignored_xyz] = merged.kind == "labels"
    return TuningCase(
        name,
        merged.names,
        merged.kind,
        merged_kxyz,
        # The merged probabilities are those of a single member
        members_mkxyz if files.merged or len(members) > 1 else members_mkxyz[:0],
        weights or ((1.0,) * len(merged.names),) * max(len(files.members), 1),
        reference_xyz,
        grid.spacing,
    )


def weighted_mean(members_mxyz: np.ndarray, column: Sequence[float], out_xyz: np.ndarray) -> None:
    """Write sum_m w_m p_m / sum_m w_m of one channel, (X, Y, Z) float32; the weights do not sum to 0."""
    out_xyz[...] = 0
    for weight, member_xyz in zip(column, members_mxyz, strict=True):
        if weight:
            out_xyz += np.float32(weight) * member_xyz
    out_xyz /= np.float32(sum(column))


def largest_difference(case: TuningCase) -> float:
    """Between the merged probabilities and the weighted mean of the members'; 0 without members."""
    if not len(case.members_mkxyz):
        return 0.0
    mean_xyz, largest = np.empty(case.reference_xyz.shape, dtype=np.float32), 0.0
    for channel, column in enumerate(zip(*case.weights, strict=True)):
        weighted_mean(case.members_mkxyz[:, channel], column, mean_xyz)
        largest = max(largest, float(np.abs(mean_xyz - case.merged_kxyz[channel]).max()))
    return largest


def _frame(saved: Sequence[SavedProbabilities], labels_xyz: np.ndarray, limits: CaseLimits) -> Box:
    """The box around all lesions, true and possible, with a margin; one voxel if there is none."""
    boxes = [bounding_box(labels_xyz != 0)]
    filled = [one.box for one in saved if 0 not in one.box.shape]
    if filled:
        around = reduce(Box.union, filled)
        possible = bounding_box(_possible([one.within(around) for one in saved], saved[0].kind, limits.floor))
        boxes.append(possible and possible.shifted(around.start))
    found = [box for box in boxes if box is not None]
    if not found:
        return Box((0, 0, 0), (1, 1, 1))
    box = reduce(Box.union, found)
    margin = limits.margin
    grown = Box(_shape(n - margin for n in box.start), _shape(n + margin for n in box.stop))
    return grown.intersection(Box((0, 0, 0), saved[0].grid.shape))


def _possible(members: Sequence[np.ndarray], kind: str, floor: float) -> np.ndarray:
    """Where some weighted mean of the members may be foreground: such a mean lies within their range."""
    # Compared in float32: a threshold rounded to float16 might exclude a value just above it
    highest_kxyz = reduce(np.maximum, members).astype(np.float32, copy=False)
    if kind == "regions":
        return np.asarray((highest_kxyz > floor).any(axis=0))
    background_xyz = reduce(np.minimum, [member_kxyz[0] for member_kxyz in members])
    return np.asarray((highest_kxyz[1:] >= background_xyz).any(axis=0))


def _shape(values: Iterable[int]) -> Shape:
    x, y, z = (int(value) for value in values)
    return x, y, z
