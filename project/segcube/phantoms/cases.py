"""Synthetic cases with the names, geometry and label values of a challenge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from segcube.core import Grid, UsageError, Vector
from segcube.phantoms.brain import BrainRequest, Tissue, make_brain
from segcube.phantoms.generator import USUAL, Generator
from segcube.phantoms.heart import Chamber, make_chest
from segcube.phantoms.streams import Streams
from segcube.spec.challenges import BACKGROUND, Challenge, UsualGrid

_ATRIA_CHANNELS = ("lge",)
_AXES = ("LR", "PA", "IS")
SPACINGS_MM = (0.25, 20.0)
"""The smallest and largest edge of a phantom's voxels."""
_CORE = (Tissue.CORE, Tissue.BLOOD, Tissue.CYST)
_TISSUES: Mapping[str, tuple[Tissue, ...]] = {
    "NCR": _CORE,
    "NETC": _CORE,
    "ED": (Tissue.EDEMA,),
    "SNFH": (Tissue.EDEMA,),
    "ET": (Tissue.ENHANCING,),
    "CC": (Tissue.CYST,),
    "RC": (Tissue.CAVITY,),
    "GTV": (*_CORE, Tissue.ENHANCING),
}
"""The tissues of a label; of two labels with a tissue, it is the one's with fewer tissues."""
_CHAMBERS: Mapping[str, tuple[Chamber, ...]] = {
    "wall": (Chamber.RIGHT_WALL, Chamber.LEFT_WALL),
    "RA_wall": (Chamber.RIGHT_WALL,),
    "LA_wall": (Chamber.LEFT_WALL,),
    "RA": (Chamber.RIGHT_CAVITY,),
    "LA": (Chamber.LEFT_CAVITY,),
}


@dataclass(frozen=True)
class Phantom:
    """A synthetic case: int16 image (C, X, Y, Z) in the challenge's channel order, and its label map."""

    case: str
    image_cxyz: np.ndarray
    labels_xyz: np.ndarray
    grid: Grid


def make_phantom(
    challenge: Challenge,
    seed: int,
    index: int,
    spacing_mm: float | Vector | None = None,
    generator: Generator = USUAL,
) -> Phantom:
    """Make the case of an index, from 0, of a seed: equal numbers make equal cases.

    spacing_mm: edge of the voxels, or the edges along x, y and z, over the challenge's field of view; None
    for a grid of the challenge. The kind of a case is `challenge.phantom`; without one it has atria for the
    channel `lge` alone, otherwise glioma. Raises UsageError for channels and labels that phantoms do not
    have, and for a spacing outside `SPACINGS_MM`.
    """
    streams = Streams(seed, index)
    grid = _grid(challenge, streams("grid"), spacing_mm)
    kind = challenge.phantom or ("atria" if challenge.channel_names == _ATRIA_CHANNELS else "glioma")
    case = case_name(challenge, index)
    if kind == "atria":
        values = _values(challenge, Chamber, _CHAMBERS)
        image_cxyz, chamber_xyz = make_chest(streams, grid, generator)
        return Phantom(case, image_cxyz, values[chamber_xyz], grid)
    values = _values(challenge, Tissue, _TISSUES)
    request = BrainRequest(kind, challenge.channel_names, challenge.reference, generator)
    brain = make_brain(streams, grid, request)
    return Phantom(case, brain.image_cxyz, values[brain.tissue_xyz], grid)


def crop_phantom(phantom: Phantom, edge: int) -> Phantom:
    """Crop to a box of at most `edge` voxels a side around the labels' centre; positions in space stay.

    A case without labels is cropped around its middle.
    """
    shape = np.array(phantom.labels_xyz.shape)
    labelled = np.argwhere(phantom.labels_xyz)
    centre = labelled.mean(axis=0).round().astype(int) if len(labelled) else shape // 2
    start = np.clip(centre - edge // 2, 0, np.maximum(shape - edge, 0))
    box = tuple(slice(begin, begin + edge) for begin in start)
    affine = phantom.grid.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ start
    labels_xyz = phantom.labels_xyz[box]
    grid = Grid((labels_xyz.shape[0], labels_xyz.shape[1], labels_xyz.shape[2]), affine)
    return Phantom(phantom.case, phantom.image_cxyz[(slice(None), *box)], labels_xyz, grid)


def case_name(challenge: Challenge, index: int) -> str:
    """Return the name of the phantom of an index, from 0."""
    return challenge.made_case.format(number=index + 1)


def _grid(challenge: Challenge, rng: np.random.Generator, spacing_mm: float | Vector | None) -> Grid:
    """One of the challenge's grids along the patient's axes; without an orientation, LPS."""
    grids = challenge.geometry.grids
    usual = grids[int(rng.integers(len(grids)))]
    _check_grid(usual)
    affine = np.diag([*usual.spacing, 1.0])
    for axis, (letter, positive) in enumerate(zip(usual.orientation or "LPS", "RAS", strict=True)):
        if letter != positive:
            affine[axis, axis] *= -1
    # The atlas of the BraTS data begins at x = 0 and y = 239, with y towards the front
    affine[1, 3] = -affine[1, 1] * (usual.shape[1] - 1) if affine[1, 1] < 0 else 0.0
    if spacing_mm is None:
        return Grid(usual.shape, affine)
    low, high = SPACINGS_MM
    edges = np.broadcast_to(spacing_mm, 3)
    if not ((low <= edges) & (edges <= high)).all():
        raise UsageError(f"phantoms of {spacing_mm} mm", expected=f"from {low:g} to {high:g} mm")
    factor = edges / np.array(usual.spacing)
    x, y, z = (max(round(size / part), 2) for size, part in zip(usual.shape, factor, strict=True))
    # The corner of the first voxel stays
    affine[:3, 3] += affine[:3, :3] @ ((factor - 1) / 2)
    affine[:3, :3] *= factor
    return Grid((x, y, z), affine)


def _check_grid(grid: UsualGrid) -> None:
    if min(grid.shape) < 2:
        raise UsageError(f"no phantoms of shape {grid.shape}", expected="2 voxels or more along each axis")
    if any(letter not in pair for letter, pair in zip(grid.orientation or "LPS", _AXES, strict=True)):
        raise UsageError(
            f"no phantoms of orientation {grid.orientation}",
            expected="one along x, y and z, such as LPS or RAS",
        )


def blood_value(challenge: Challenge) -> int | None:
    """The label value of the left atrium's blood; None for a challenge of brains."""
    if challenge.channel_names != _ATRIA_CHANNELS:
        return None
    return int(_values(challenge, Chamber, _CHAMBERS)[Chamber.LEFT_CAVITY])


def _values(
    challenge: Challenge, kinds: type[IntEnum], table: Mapping[str, tuple[IntEnum, ...]]
) -> np.ndarray:
    """The challenge's label value of each synthetic tissue; 0 for a tissue without a label."""
    labels = [label for label in challenge.labels if label != BACKGROUND]
    if unknown := [label for label in labels if label not in table]:
        raise UsageError(f"no synthetic tissue for label {unknown[0]}", expected="one of " + ", ".join(table))
    values = np.zeros(len(kinds), np.min_scalar_type(max(challenge.labels.values())))
    for label in sorted(labels, key=lambda label: len(table[label]), reverse=True):
        values[list(table[label])] = challenge.labels[label]
    return values
