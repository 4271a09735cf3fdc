"""Schema of a recipe's augmentation: one spatial transform, then intensity transforms in the order given.

`p` is the probability for each sample. Parameters are drawn uniformly from their range, unless the transform
states otherwise.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from segcube.core import StrictModel, Unique
from segcube.spec.submission import Axis

Probability: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]


def _check_increasing(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError(f"expected a range, its lower end first; found {list(ends)}")
    return ends


Degrees: TypeAlias = Annotated[float, Field(ge=0.0, le=180.0)]
NotNegative: TypeAlias = Annotated[float, Field(ge=0.0)]
Positive: TypeAlias = Annotated[float, Field(gt=0.0)]
Range: TypeAlias = Annotated[tuple[NotNegative, NotNegative], AfterValidator(_check_increasing)]
PositiveRange: TypeAlias = Annotated[tuple[Positive, Positive], AfterValidator(_check_increasing)]


class Rotation(StrictModel):
    """An angle about each axis from -`degrees` to `degrees`; with dummy_2d one angle, to `degrees_2d`."""

    p: Probability
    degrees: Degrees = 30.0
    degrees_2d: Degrees = 180.0


class Scaling(StrictModel):
    """One factor for all axes, by which the shown region grows; above 1 shrinks what the patch shows."""

    p: Probability
    factor: PositiveRange = (0.7, 1.4)


class Affine(StrictModel):
    """Rotation, scaling and shear together, each axis apart, as MONAI's RandAffine.

    scaling: the factor of each axis lies between 1 - scaling and 1 + scaling. shear: each of the six
    coefficients lies between -shear and shear.
    """

    p: Probability
    degrees: Degrees = 0.0
    scaling: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    shear: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0


class Elastic(StrictModel):
    """A smooth random displacement.

    scale: deviation of the smoothing as a fraction of the patch along each axis. magnitude: the largest
    displacement as a fraction of that deviation.
    """

    p: Probability
    scale: PositiveRange = (0.01, 0.2)
    magnitude: Range = (0.0, 0.2)


class Mirror(StrictModel):
    """Mirroring along each of the branch's axes, each with probability p."""

    p: Probability = 0.5
    axes: Unique[Axis] = ("x", "y", "z")


class Spatial(StrictModel):
    """Where the voxels of a patch lie in the case; all parts make one interpolation.

    dummy_2d: auto leaves the coarse axis out of rotation and scaling where the patch's longest axis
    exceeds its first by more than 3 times, as nnU-Net does. border: what lies beyond the case: zeros and
    background, or the nearest voxel of image and labels. labels: linear interpolates the mask of each label,
    and the largest share wins.
    """

    rotation: Rotation | None = None
    scaling: Scaling | None = None
    affine: Affine | None = None
    elastic: Elastic | None = None
    mirror: Mirror | None = None
    dummy_2d: Literal["auto", "never"] = "auto"
    border: Literal["zero", "nearest"] = "zero"
    labels: Literal["linear", "nearest"] = "linear"

    @model_validator(mode="after")
    def _check_affine(self) -> Self:
        if self.affine and (self.rotation or self.scaling):
            raise ValueError("affine holds rotation and scaling; expected it alone, or rotation and scaling")
        return self


class Noise(StrictModel):
    """Gaussian noise; one sigma for all channels of a sample."""

    kind: Literal["noise"]
    p: Probability
    sigma: Range = (0.0, 0.1)


class Blur(StrictModel):
    """Gaussian blur; each channel with probability p_channel, with a sigma of its own, in voxels."""

    kind: Literal["blur"]
    p: Probability
    p_channel: Probability = 0.5
    sigma: PositiveRange = (0.5, 1.0)


class _BelowOrAbove(StrictModel):
    """A factor from the part of a range below 1 or from that above, each half of the time, per channel."""

    p: Probability
    factor: PositiveRange = (0.75, 1.25)


class Brightness(_BelowOrAbove):
    """Multiply each channel by a factor; half of the time by one below 1."""

    kind: Literal["brightness"]


class Contrast(_BelowOrAbove):
    """Multiply each channel's distance to its mean, clipped to its range; half of the time below 1."""

    kind: Literal["contrast"]


class Gamma(_BelowOrAbove):
    """Raise each channel, scaled to 0..1, to a power; mean and deviation stay. invert: of the negative."""

    kind: Literal["gamma"]
    factor: PositiveRange = (0.7, 1.5)
    invert: bool = False


class LowResolution(StrictModel):
    """Downsample by nearest neighbour and upsample linearly; each channel with probability p_channel."""

    kind: Literal["low_resolution"]
    p: Probability
    p_channel: Probability = 0.5
    scale: PositiveRange = (0.5, 1.0)


class Scale(StrictModel):
    """Multiply all channels by one factor from 1 - factor to 1 + factor (MONAI's RandScaleIntensity)."""

    kind: Literal["scale"]
    p: Probability
    factor: NotNegative


class Shift(StrictModel):
    """Add one offset from -offset to offset to all voxels, zeros included (MONAI's RandShiftIntensity)."""

    kind: Literal["shift"]
    p: Probability
    offset: NotNegative


class AdjustContrast(StrictModel):
    """Raise the whole image, scaled to 0..1, to one power (MONAI's RandAdjustContrast)."""

    kind: Literal["adjust_contrast"]
    p: Probability
    gamma: PositiveRange


IntensityTransform: TypeAlias = Annotated[
    Noise | Blur | Brightness | Contrast | Gamma | LowResolution | Scale | Shift | AdjustContrast,
    Field(discriminator="kind"),
]


class Augmentation(StrictModel):
    """What changes a patch before a training step.

    zero_outside: sets the image to 0 again outside the mask of nonzero voxels, in channels whose
    normalisation uses such a mask.
    """

    spatial: Spatial = Spatial()
    intensity: tuple[IntensityTransform, ...] = ()
    zero_outside: bool = False
