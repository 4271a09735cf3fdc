"""The cases of a tuning: saved probabilities and the true labels, cut to what can matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Literal

import numpy as np

from segcube.core import Box, CaseError, Code, Grid, Vector, mask_box
from segcube.formats.nifti import read_labels
from segcube.tools.tune.saved import Saved, read_saved
from segcube.tools.tune.search_space import Weights

SAME_PLACE = 1e-2
"""Affines that differ by less, in mm, are the same."""


@dataclass(frozen=True)
class TuningCase:
    """A case inside a box of its native grid that holds all lesions and all that may become one."""

    name: str
    names: tuple[str, ...]
    kind: Literal["regions", "labels"]
    merged_kxyz: np.ndarray
    """float32: what the label map of the run was decided by."""
    members_mkxyz: np.ndarray
    """float16, a member each; none where their weights are not searched."""
    weights: Weights
    """At which the members were merged."""
    reference_xyz: np.ndarray
    spacing: Vector


@dataclass(frozen=True)
class Reading:
    """How cases are read."""

    suffixes: tuple[str, ...]
    """What stands between a case's name and .npz in the name of each member's file; none without those."""
    weights: Weights
    """Of the members; none without those."""
    floor: float
    """No region is searched below this probability."""
    margin: int
    """Voxels around lesions that their scores may look at."""


def read_case(name: str, probabilities: Path, reference: Path, reading: Reading) -> TuningCase:
    """Read one case.

    probabilities: the folder of saved files. reference: the true label map. Raises CaseError for a file that
    cannot be read, and SHAPE_MISMATCH or AFFINE_MISMATCH for files on different grids.
    """
    files = [probabilities / f"{name}{suffix}.npz" for suffix in ("", *reading.suffixes)]
    merged, *members = saved = [read_saved(file) for file in files]
    labels_xyz, grid, _ = read_labels(reference)
    _check_precision(merged, files[0])
    for one, file in zip(saved, files, strict=True):
        _check_grid(one, file, grid, reference)
        if (one.names, one.kind) != (merged.names, merged.kind):
            raise CaseError(
                Code.UNREADABLE,
                f"{one.kind} {', '.join(one.names)}",
                file=file,
                expected=f"those of {files[0]}",
            )
    frame = _frame(saved, labels_xyz, reading)
    merged_kxyz = merged.within(frame)
    members_mkxyz = np.empty((len(members), *merged_kxyz.shape), dtype=np.float16)
    for index, member in enumerate(members):
        members_mkxyz[index] = member.within(frame)
    return TuningCase(
        name,
        merged.names,
        merged.kind,
        merged_kxyz,
        members_mkxyz,
        reading.weights or ((1.0,) * len(merged.names),),
        frame.apply(labels_xyz).copy(),
        grid.spacing,
    )


def _check_precision(merged: Saved, file: Path) -> None:
    found = merged.probabilities_kxyz.dtype
    if found != np.float32:
        raise CaseError(
            Code.UNREADABLE,
            f"probabilities of {found}",
            file=file,
            expected="float32, by which the run decided its label map",
            hint="save them again with `segcube infer --save-probabilities`",
        )


def _check_grid(saved: Saved, file: Path, grid: Grid, reference: Path) -> None:
    if saved.grid.shape != grid.shape:
        raise CaseError(Code.SHAPE_MISMATCH, f"{saved.grid.shape}", file=file, expected=f"{grid.shape}")
    if not np.allclose(saved.grid.affine, grid.affine, atol=SAME_PLACE):
        raise CaseError(Code.AFFINE_MISMATCH, "another affine", file=file, expected=f"that of {reference}")


def weighted_mean(members_mxyz: np.ndarray, column: Sequence[float], out_xyz: np.ndarray) -> None:
    """Write sum_m w_m p_m / sum_m w_m of one channel, (X, Y, Z) float32; the weights do not sum to 0."""
    out_xyz[...] = 0
    for weight, member_xyz in zip(column, members_mxyz, strict=True):
        if weight:
            out_xyz += np.float32(weight) * member_xyz
    out_xyz /= np.float32(sum(column))


def furthest_from_members(case: TuningCase) -> float:
    """How far a merged probability lies from the weighted mean of the members' at most; 0 without members."""
    if not len(case.members_mkxyz):
        return 0.0
    mean_xyz, furthest = np.empty(case.reference_xyz.shape, dtype=np.float32), 0.0
    for channel, column in enumerate(zip(*case.weights, strict=True)):
        weighted_mean(case.members_mkxyz[:, channel], column, mean_xyz)
        furthest = max(furthest, float(np.abs(mean_xyz - case.merged_kxyz[channel]).max()))
    return furthest


def find_saved(folder: Path, cases: Sequence[str], stems: Sequence[str]) -> tuple[str, ...]:
    """The suffixes of the members' files where every case has all of them; none for less than two members.

    stems: of the members' files.
    """
    suffixes = tuple(f".{stem}" for stem in stems)
    whole = all((folder / f"{case}{suffix}.npz").is_file() for case in cases for suffix in suffixes)
    return suffixes if len(suffixes) > 1 and whole else ()


def _frame(saved: Sequence[Saved], labels_xyz: np.ndarray, reading: Reading) -> Box:
    """The box of all lesions, true and possible, and a margin; one voxel where there is neither."""
    everywhere = Box((0, 0, 0), saved[0].grid.shape)
    around = reduce(_join, [one.box for one in saved if 0 not in one.box.shape], None)
    boxes = [mask_box(labels_xyz != 0)]
    if around is not None:
        possible = mask_box(_possible([one.within(around) for one in saved], saved[0].kind, reading.floor))
        if possible is not None:
            boxes.append(_shifted(possible, around.start))
    held = reduce(_join, [box for box in boxes if box is not None], None)
    return Box((0, 0, 0), (1, 1, 1)) if held is None else _grown(held, reading.margin, everywhere)


def _possible(members: Sequence[np.ndarray], kind: str, floor: float) -> np.ndarray:
    """Where some weighted mean of the members may be foreground: such a mean lies within their range."""
    # Compared in float32: a bound that is rounded to float16 might cut off what lies just above it
    highest_kxyz = reduce(np.maximum, members).astype(np.float32, copy=False)
    if kind == "regions":
        return np.asarray((highest_kxyz > floor).any(axis=0))
    background_xyz = reduce(np.minimum, [member_kxyz[0] for member_kxyz in members])
    return np.asarray((highest_kxyz[1:] >= background_xyz).any(axis=0))


def _join(one: Box | None, other: Box) -> Box:
    if one is None:
        return other
    start = np.minimum(one.start, other.start).tolist()
    stop = np.maximum(one.stop, other.stop).tolist()
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _shifted(box: Box, by: Sequence[int]) -> Box:
    start, stop = np.add(box.start, by).tolist(), np.add(box.stop, by).tolist()
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _grown(box: Box, margin: int, within: Box) -> Box:
    start = np.maximum(np.subtract(box.start, margin), within.start).tolist()
    stop = np.minimum(np.add(box.stop, margin), within.stop).tolist()
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def read_cases(
    references: Mapping[str, Path], probabilities: Path, reading: Reading
) -> tuple[list[TuningCase], dict[str, str]]:
    """Read the cases that have both; what is wrong with the others stands beside, by case."""
    cases: list[TuningCase] = []
    problems: dict[str, str] = {}
    for name, reference in references.items():
        try:
            cases.append(read_case(name, probabilities, reference, reading))
        except CaseError as error:
            problems[name] = str(error)
    return cases, problems
