"""A bundle's preprocessing as a branch's fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from segcube.core import Vector
from segcube.importers.monai_bundle.config import Step
from segcube.spec.submission import Normalize, Resampling

LOADING = (
    "LoadImage",
    "EnsureChannelFirst",
    "EnsureType",
    "ToTensor",
    "ToDevice",
    "CastToType",
    "SqueezeDim",
)
"""They bring an image into memory and change no value."""
ORDERS = {"bilinear": 1, "trilinear": 1, "nearest": 0}
"""Spline orders of MONAI's words."""


@dataclass(frozen=True)
class Preprocessing:
    """What happens to an image before the network sees it."""

    orientation: str = "native"
    crop: Literal["positive", "none"] = "none"
    normalize: Normalize | None = None
    spacing: Vector | None = None
    resampling: Resampling | None = None
    notes: tuple[str, ...] = ()

    def scheme(self) -> Normalize:
        """How intensities are brought to scale; none where no transform does it."""
        return self.normalize or Normalize(scheme="none", mask="none")


def preprocessing_of(steps: list[Step], channels: int) -> Preprocessing:
    """Take a bundle's transforms one after the other.

    channels: of the image. Raises EnvironmentFault for a transform or argument that segcube does not have,
    and for an order that is not its own: orientation, crop, then spacing and intensities.
    """
    found = Preprocessing()
    for step in steps:
        if step.name in LOADING:
            continue
        if step.name not in TAKEN:
            step.refuse(f"one of {', '.join((*LOADING, *TAKEN))}")
        found = TAKEN[step.name](step, found, channels)
    return found


def _orientation(step: Step, found: Preprocessing, channels: int) -> Preprocessing:
    del channels
    axcodes = step.only(axcodes=None, labels=None)["axcodes"]
    step.expect(isinstance(axcodes, str) and len(axcodes) == 3, "axcodes of three letters")
    step.expect(found == Preprocessing(), "an orientation before all else")
    return replace(found, orientation=axcodes)


def _crop(step: Step, found: Preprocessing, channels: int) -> Preprocessing:
    del channels
    given = step.only(source_key=None, margin=0, allow_smaller=True, start_coord_key="", end_coord_key="")
    step.expect(given["margin"] in (0, [0, 0, 0]), "no margin")
    step.expect(found.normalize is None and found.spacing is None, "a crop before spacing and intensities")
    # Its default, as a select_fn of its own is refused, takes what lies above 0
    return replace(found, crop="positive")


def _spacing(step: Step, found: Preprocessing, channels: int) -> Preprocessing:
    del channels
    given = step.only(
        pixdim=None, mode="bilinear", padding_mode="border", align_corners=False, diagonal=False
    )
    mode = given["mode"][0] if isinstance(given["mode"], list) else given["mode"]
    pixdim = given["pixdim"]
    sound = isinstance(pixdim, list) and len(pixdim) == 3 and all(length > 0 for length in pixdim)
    step.expect(
        sound and mode in ORDERS and not given["diagonal"], "pixdim of 3 lengths, mode bilinear or nearest"
    )
    resampling = Resampling.model_validate(
        {
            "image": ORDERS[mode],
            "separate_z": "never",
            "normalize": "after" if found.normalize is None else "before",
        }
    )
    note = (
        "Spacing is resampled over the image's whole extent; MONAI keeps the first voxel's centre in place, "
        "so that its grid may lie up to half a voxel aside."
    )
    x, y, z = (float(length) for length in pixdim)
    return replace(found, spacing=(x, y, z), resampling=resampling, notes=(*found.notes, note))


def _zscore(step: Step, found: Preprocessing, channels: int) -> Preprocessing:
    given = step.only(nonzero=False, channel_wise=False, subtrahend=None, divisor=None, dtype=None)
    step.expect(given["subtrahend"] is None and given["divisor"] is None, "statistics of the image itself")
    step.expect(bool(given["channel_wise"]) or channels == 1, "channel_wise true")
    return _scaled(step, found, Normalize(mask="nonzero" if given["nonzero"] else "none"))


def _range(step: Step, found: Preprocessing, channels: int) -> Preprocessing:
    """Clip and map to a range: what nnU-Net does to CT, with other numbers."""
    del channels
    given = step.only(a_min=None, a_max=None, b_min=None, b_max=None, clip=False, dtype=None)
    low, high = given["a_min"], given["a_max"]
    bottom, top = given["b_min"] or 0.0, 1.0 if given["b_max"] is None else given["b_max"]
    step.expect(bool(given["clip"]) and None not in (low, high), "clip true and two bounds")
    step.expect(high > low and top > bottom, "rising bounds")
    std = (high - low) / (top - bottom)
    scheme = Normalize(scheme="ct", mask="none", bounds=(low, high), mean=low - bottom * std, std=std)
    return _scaled(step, found, scheme)


def _rescale(step: Step, found: Preprocessing, channels: int) -> Preprocessing:
    given = step.only(minv=0.0, maxv=1.0, factor=None, channel_wise=False, dtype=None)
    step.expect((given["minv"], given["maxv"], given["factor"]) == (0, 1, None), "a range from 0 to 1")
    step.expect(bool(given["channel_wise"]) or channels == 1, "channel_wise true")
    return _scaled(step, found, Normalize(scheme="rescale01", mask="none"))


def _scaled(step: Step, found: Preprocessing, scheme: Normalize) -> Preprocessing:
    step.expect(found.normalize is None, "one scheme of intensities")
    return replace(found, normalize=scheme)


TAKEN: Mapping[str, Callable[[Step, Preprocessing, int], Preprocessing]] = {
    "Orientation": _orientation,
    "CropForeground": _crop,
    "Spacing": _spacing,
    "NormalizeIntensity": _zscore,
    "ScaleIntensityRange": _range,
    "ScaleIntensity": _rescale,
}
"""The transforms that become fields."""
