"""Schema of a branch: one preprocessing pipeline, and the members that share it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from segcube.core import (
    AxisCodes,
    BoundedShape,
    FileName,
    Name,
    Names,
    Sha256,
    SpacingMm,
    StrictModel,
    Unique,
    check_unique,
)
from segcube.spec.challenges.schema import BACKGROUND

if TYPE_CHECKING:
    # Its module imports numpy, which is slow
    from segcube.core import Vector

Axis: TypeAlias = Literal["x", "y", "z"]
Axes: TypeAlias = Literal["xyz", "xzy", "yxz", "yzx", "zxy", "zyx"]
Order: TypeAlias = Literal[0, 1, 3]
SeparateZ: TypeAlias = Literal["auto", "always", "never"]
Level: TypeAlias = Annotated[float, Field(ge=-1e30, le=1e30)]
"""An intensity; divided by the smallest standard deviation it still is a finite float32."""


def _weight(value: float) -> float:
    if value != 0 and not 1e-6 <= value <= 1e6:
        found = "expected 0, or a weight from 1e-06 to 1e+06, which does not vanish in a float32 sum"
        raise ValueError(found)
    return value


Weight: TypeAlias = Annotated[float, AfterValidator(_weight)]

MOST_OVERLAP = 0.95
"""Fraction of the window size; it makes 20 times as many windows along each axis as no overlap."""


class Intensity(StrictModel):
    """What the training pipeline does to intensities before cropping and normalisation."""

    cast: Literal["int16_abs"] | None = None


class Normalize(StrictModel):
    """Normalisation of a channel's intensities.

    zscore uses the statistics of `mask`: nonzero (the channel's nonzero voxels), foreground (the union of
    the channels' nonzero voxels, with holes filled) or none (all voxels). ct clips to `bounds`, then uses
    `mean` and `std`. `percentiles` first clips to these percentiles of the mask and rescales to 0..1.
    """

    scheme: Literal["zscore", "ct", "rescale01", "rgb01", "none"] = "zscore"
    mask: Literal["nonzero", "foreground", "none"] = "nonzero"
    percentiles: tuple[float, float] | None = None
    bounds: tuple[Level, Level] | None = None
    mean: Level | None = None
    std: Annotated[Level, Field(ge=0.0)] | None = None

    @model_validator(mode="after")
    def _check_numbers(self) -> Self:
        numbers = (self.bounds, self.mean, self.std)
        if self.scheme == "ct" and None in numbers:
            raise ValueError("scheme ct requires bounds, mean and std")
        if self.scheme != "ct" and numbers != (None, None, None):
            raise ValueError(f"bounds, mean and std are for scheme ct, not for {self.scheme}")
        if self.percentiles and not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise ValueError(
                f"percentiles: expected two increasing numbers from 0 to 100, found {list(self.percentiles)}"
            )
        if self.bounds and not self.bounds[0] < self.bounds[1]:
            raise ValueError(f"bounds: expected two increasing numbers, found {list(self.bounds)}")
        return self


class Spline(StrictModel):
    """Spline orders for one kind of array; see Resampling."""

    order: Order
    order_z: Order = 0
    separate_z: SeparateZ = "auto"


class Resampling(StrictModel):
    """Spline orders of resampling: image and previous labels to the branch's grid, output back.

    separate_z: auto resamples the coarse axis of anisotropic data separately at `order_z`, as nnU-Net does;
    image, output and labels may have their own values, as a Spline. ties: of labels with equal shares, take
    that of the nearest voxel (batchgenerators) or the lowest (nnU-Net's torch functions, which compare in
    half precision). normalize: before resampling, as in nnU-Net v2, or after it, as in nnU-Net v1 and MONAI.
    """

    image: Order | Spline = 3
    output: Order | Spline = 1
    labels: Order | Spline = 1
    order_z: Order = 0
    separate_z: SeparateZ = "auto"
    ties: Literal["nearest", "lowest"] = "nearest"
    normalize: Literal["before", "after"] = "before"

    def spline_for(self, part: Literal["image", "output", "labels"]) -> Spline:
        """Return orders and separate_z for one kind of array."""
        value: Order | Spline = getattr(self, part)
        if isinstance(value, Spline):
            return value
        return Spline(order=value, order_z=self.order_z, separate_z=self.separate_z)


class Outputs(StrictModel):
    """Output channels of a network: overlapping regions (sigmoid) or labels (softmax, background first)."""

    kind: Literal["regions", "labels"]
    names: Names

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        if self.kind == "labels" and (self.names[0] != BACKGROUND or len(self.names) < 2):
            found = f"names of labels: expected background, then at least one label; found {list(self.names)}"
            raise ValueError(found)
        return self


class Window(StrictModel):
    """Sliding windows; sizes are in the branch's axis order.

    plan nnunet spaces windows evenly and mirrors each window; plan monai shifts the last window back to the
    border and mirrors the whole volume, each exactly as in the original. average: windows and mirrored views
    are averaged as logits (nnU-Net v2, MONAI) or as probabilities (nnU-Net v1).
    """

    size: BoundedShape
    overlap: Annotated[float, Field(ge=0.0, le=MOST_OVERLAP)] = 0.5
    plan: Literal["nnunet", "monai"] = "nnunet"
    blend: Literal["gaussian", "constant"] = "gaussian"
    average: Literal["logits", "probabilities"] = "logits"


class Member(StrictModel):
    """A weights file in the submission folder, and its weight in the ensemble."""

    file: FileName
    sha256: Sha256
    weight: Weight | dict[Name, Weight] = 1.0

    def weight_for(self, name: str) -> float:
        """Return the member's weight for one of the stage's channels."""
        return self.weight[name] if isinstance(self.weight, dict) else self.weight


class Branch(StrictModel):
    """A preprocessing pipeline and the members that share it.

    crop: to the bounding box of voxels that are nonzero in any channel, as in nnU-Net, or positive, as in
    MONAI's CropForeground by default. spacing: in the branch's axis order; null along an axis, or as a whole,
    keeps that of the case, as nnU-Net's 2d configurations do across slices.
    """

    channels: Names
    axes: Axes = "xyz"
    orientation: Literal["native"] | AxisCodes = "native"
    intensity: Intensity = Intensity()
    crop: Literal["nonzero", "positive", "none"] = "nonzero"
    normalize: Normalize | Annotated[tuple[Normalize, ...], Field(min_length=1)] = Normalize()
    spacing: tuple[SpacingMm | None, SpacingMm | None, SpacingMm | None] | None = None
    resampling: Resampling = Resampling()
    outputs: Outputs
    window: Window
    flips: Unique[Axis] = ()
    members: Annotated[tuple[Member, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_counts(self) -> Self:
        if isinstance(self.normalize, tuple) and len(self.normalize) != len(self.channels):
            raise ValueError(
                f"normalize has {len(self.normalize)} entries; expected {len(self.channels)}, one per channel"
            )
        check_unique("member files", (member.file for member in self.members))
        return self

    def spacing_of(self, native: Vector) -> Vector:
        """Return the spacing of the branch's grid for a case with another one; both in the branch's order."""
        x, y, z = (
            old if new is None else new
            for old, new in zip(native, self.spacing or (None, None, None), strict=True)
        )
        return x, y, z

    def normalize_of(self, channel: int) -> Normalize:
        """Return the normalisation of one channel, counted from 0."""
        return self.normalize[channel] if isinstance(self.normalize, tuple) else self.normalize
