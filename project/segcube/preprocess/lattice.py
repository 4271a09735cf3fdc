"""Plan resamplings between grids as nnU-Net plans them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from segcube.errors import CaseError, Code
from segcube.preprocess.resample import Resampler
from segcube.types import MAX_VOXELS, Shape, Vector

ANISOTROPIC = 3.0
"""nnU-Net treats the coarse axis by itself where the longest edge of a voxel is above this many shortest."""


@dataclass(frozen=True)
class Lattice:
    """Voxels along each axis and their edge lengths in mm, in the array's own axis order."""

    shape: Shape
    spacing: Vector

    def at(self, spacing: Vector) -> Lattice:
        """The lattice of other edge lengths over the same extent, each size rounded as nnU-Net does.

        Halves round to even (compute_new_shape); no axis shrinks below one voxel. Raises CaseError for more
        voxels than a file may have (TOO_LARGE).
        """
        x, y, z = (
            max(round(old / new * size), 1)
            for old, new, size in zip(self.spacing, spacing, self.shape, strict=True)
        )
        if x * y * z > MAX_VOXELS:
            raise CaseError(
                Code.TOO_LARGE,
                f"{x} x {y} x {z} voxels at the network's spacing",
                expected=f"at most {MAX_VOXELS}",
                mend="check the spacing in its header",
            )
        return Lattice((x, y, z), spacing)


def plan_resampling(
    source: Lattice,
    target: Lattice,
    order: int,
    coarse_order: int = 0,
    separate: Literal["auto", "always", "never"] = "auto",
) -> Resampler:
    """Plan the resampling from one lattice to another.

    separate: whether one coarse axis is resampled by itself at `coarse_order`. auto asks the source's
    spacing, then the target's, whether it is anisotropic; always takes the source's coarse axis. Two or
    three equally coarse axes are never separated (nnU-Net's determine_do_sep_z_and_axis).
    """
    coarse_axis = None
    if separate == "always":
        coarse_axis = _coarse_axis(source.spacing)
    elif separate == "auto":
        spacing = next((s for s in (source.spacing, target.spacing) if max(s) / min(s) > ANISOTROPIC), None)
        coarse_axis = _coarse_axis(spacing) if spacing else None
    return Resampler(source.shape, target.shape, order, coarse_axis, coarse_order)


def _coarse_axis(spacing: Vector) -> int | None:
    coarsest = [axis for axis, length in enumerate(spacing) if length == max(spacing)]
    return coarsest[0] if len(coarsest) == 1 else None
