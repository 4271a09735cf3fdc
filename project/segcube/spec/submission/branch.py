"""A branch of a stage as data: one way of preprocessing, and the members that share it."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from segcube.core import AxisCodes, Edge, Extents, FileName, Model, Name, Names, Once, Sha256, expect_once
from segcube.spec.challenges.schema import BACKGROUND

Axis: TypeAlias = Literal["x", "y", "z"]
Axes: TypeAlias = Literal["xyz", "xzy", "yxz", "yzx", "zxy", "zyx"]
Order: TypeAlias = Literal[0, 1, 3]
SeparateZ: TypeAlias = Literal["auto", "always", "never"]
Level: TypeAlias = Annotated[float, Field(ge=-1e30, le=1e30)]
"""An intensity; divided by the least standard deviation it is still a float32."""


def _weight(value: float) -> float:
    if value != 0 and not 1e-6 <= value <= 1e6:
        raise ValueError("a weight is 0, or from 1e-06 to 1e+06: others vanish in a sum of float32")
    return value


Weight: TypeAlias = Annotated[float, AfterValidator(_weight)]

MOST_OVERLAP = 0.95
"""Of windows, a share of their size: a grid has 20 times as many along each axis as without."""


class Intensity(Model):
    """What the training pipeline did to intensities before all else."""

    cast: Literal["int16_abs"] | None = None


class Normalize(Model):
    """How a channel's intensities are brought to scale.

    zscore takes its statistics from `mask`: nonzero (the channel's own voxels), foreground (the union of
    the channels' voxels with holes filled) or none (all voxels). ct clips to `bounds`, then uses the given
    `mean` and `std`. `percentiles` clips to these percentiles of the mask and rescales to 0..1 first.
    """

    scheme: Literal["zscore", "ct", "rescale01", "rgb01", "none"] = "zscore"
    mask: Literal["nonzero", "foreground", "none"] = "nonzero"
    percentiles: tuple[float, float] | None = None
    bounds: tuple[Level, Level] | None = None
    mean: Level | None = None
    std: Annotated[Level, Field(ge=0.0)] | None = None

    @model_validator(mode="after")
    def _ct_knows_its_numbers(self) -> Self:
        numbers = (self.bounds, self.mean, self.std)
        if self.scheme == "ct" and None in numbers:
            raise ValueError("scheme ct needs bounds, mean and std")
        if self.scheme != "ct" and numbers != (None, None, None):
            raise ValueError(f"bounds, mean and std belong to scheme ct, not to {self.scheme}")
        if self.percentiles and not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise ValueError("percentiles are two numbers, rising, from 0 to 100")
        if self.bounds and not self.bounds[0] < self.bounds[1]:
            raise ValueError(f"bounds are two numbers, rising, not {list(self.bounds)}")
        return self


class Spline(Model):
    """How one kind of array is resampled; separate_z is that of Resampling."""

    order: Order
    order_z: Order = 0
    separate_z: SeparateZ = "auto"


class Resampling(Model):
    """Spline orders of resampling: an image and earlier labels into the branch's grid, output back.

    separate_z: auto resamples the coarse axis of anisotropic data by itself at `order_z`, as nnU-Net does;
    an entry that is more than an order has its own. ties: which of equally near labels stands, the nearest
    voxel's (batchgenerators) or the lowest (nnU-Net's torch functions, which compare in half precision).
    normalize: before resampling, as nnU-Net v2 does, or after it, as nnU-Net v1 and MONAI's transforms.
    """

    image: Order | Spline = 3
    output: Order | Spline = 1
    labels: Order | Spline = 1
    order_z: Order = 0
    separate_z: SeparateZ = "auto"
    ties: Literal["nearest", "lowest"] = "nearest"
    normalize: Literal["before", "after"] = "before"

    def of(self, part: Literal["image", "output", "labels"]) -> Spline:
        """How one kind of array is resampled, all said."""
        way: Order | Spline = getattr(self, part)
        if isinstance(way, Spline):
            return way
        return Spline(order=way, order_z=self.order_z, separate_z=self.separate_z)


class Outputs(Model):
    """A network's channels: overlapping regions (sigmoid) or labels (softmax, background first)."""

    kind: Literal["regions", "labels"]
    names: Names

    @model_validator(mode="after")
    def _names_are_sound(self) -> Self:
        if self.kind == "labels" and (self.names[0] != BACKGROUND or len(self.names) < 2):
            raise ValueError("label names begin with background and hold at least one more")
        return self


class Window(Model):
    """Sliding windows, sizes in the branch's own axis order.

    plan nnunet spreads the steps evenly and mirrors window by window; plan monai moves the last window back
    and mirrors the whole volume: each as its origin does, to the voxel. average: what windows and mirrors are
    averaged in, logits (nnU-Net v2, MONAI) or probabilities (nnU-Net v1).
    """

    size: Extents
    overlap: Annotated[float, Field(ge=0.0, le=MOST_OVERLAP)] = 0.5
    plan: Literal["nnunet", "monai"] = "nnunet"
    blend: Literal["gaussian", "constant"] = "gaussian"
    average: Literal["logits", "probabilities"] = "logits"


class Member(Model):
    """A network's weights beside this file, and its say in the ensemble."""

    file: FileName
    sha256: Sha256
    weight: Weight | dict[Name, Weight] = 1.0

    def weighs(self, name: str) -> float:
        """The member's weight for one of the stage's channels."""
        return self.weight[name] if isinstance(self.weight, dict) else self.weight


class Branch(Model):
    """One way of preprocessing, with the members that share it.

    crop: to the box of voxels where any channel differs from 0, as nnU-Net does, or lies above 0, as MONAI's
    CropForeground does by default.
    """

    channels: Names
    axes: Axes = "xyz"
    orientation: Literal["native"] | AxisCodes = "native"
    intensity: Intensity = Intensity()
    crop: Literal["nonzero", "positive", "none"] = "nonzero"
    normalize: Normalize | Annotated[tuple[Normalize, ...], Field(min_length=1)] = Normalize()
    spacing: tuple[Edge, Edge, Edge] | None = None
    resampling: Resampling = Resampling()
    outputs: Outputs
    window: Window
    flips: Once[Axis] = ()
    members: Annotated[tuple[Member, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _counts_agree(self) -> Self:
        if isinstance(self.normalize, tuple) and len(self.normalize) != len(self.channels):
            raise ValueError(f"{len(self.normalize)} normalize entries for {len(self.channels)} channels")
        expect_once("members", (member.file for member in self.members))
        return self

    def normalize_of(self, channel: int) -> Normalize:
        """The scheme of one channel, counted from 0."""
        return self.normalize[channel] if isinstance(self.normalize, tuple) else self.normalize
