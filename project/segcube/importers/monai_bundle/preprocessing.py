"""Convert a bundle's preprocessing to the fields of a branch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from segcube.core import Vector
from segcube.importers.monai_bundle.config import Step
from segcube.spec.submission import Normalize, Resampling

LOADING = (
    *("LoadImage", "EnsureChannelFirst", "EnsureType", "ToTensor", "ToDevice", "CastToType", "SqueezeDim"),
)
"""Transforms that load an image and change no value."""
ORDERS = {"bilinear": 1, "trilinear": 1, "nearest": 0}
"""Spline orders of MONAI's modes."""


@dataclass(frozen=True)
class Preprocessing:
    """The fields of a branch that preprocessing sets."""

    channels: int
    """Of the image."""
    orientation: str = "native"
    crop: Literal["positive", "none"] = "none"
    normalize: Normalize | None = None
    spacing: Vector | None = None
    resampling: Resampling | None = None
    notes: tuple[str, ...] = ()


def preprocessing_of(steps: list[Step], channels: int) -> Preprocessing:
    """Convert the transforms of the image.

    channels: of the image. Raises EnvironmentFault for an unsupported transform or argument, and for another
    order than orientation, crop, then spacing and normalization.
    """
    found = Preprocessing(channels)
    for step in steps:
        if step.name in LOADING:
            continue
        if step.name not in CONVERTERS:
            step.refuse(f"one of {', '.join((*LOADING, *CONVERTERS))}")
        found = CONVERTERS[step.name](step, found)
    return found


def _orientation(step: Step, found: Preprocessing) -> Preprocessing:
    axcodes = step.only(axcodes=None, labels=None)["axcodes"]
    step.expect(isinstance(axcodes, str) and len(axcodes) == 3, "axcodes of three letters")
    step.expect(found == Preprocessing(found.channels), "an orientation first")
    return replace(found, orientation=axcodes)


def _crop(step: Step, found: Preprocessing) -> Preprocessing:
    given = step.only(source_key=None, margin=0, allow_smaller=True, start_coord_key="", end_coord_key="")
    step.expect(given["margin"] in (0, [0, 0, 0]), "no margin")
    step.expect(found.normalize is None and found.spacing is None, "a crop before spacing and normalization")
    # Another select_fn is refused; the default selects values above 0
    return replace(found, crop="positive")


def _spacing(step: Step, found: Preprocessing) -> Preprocessing:
    given = step.only(
        pixdim=None, mode="bilinear", padding_mode="border", align_corners=False, diagonal=False
    )
    mode = given["mode"][0] if isinstance(given["mode"], list) else given["mode"]
    pixdim = given["pixdim"]
    is_valid = isinstance(pixdim, list) and len(pixdim) == 3 and all(length > 0 for length in pixdim)
    step.expect(
        is_valid and mode in ORDERS and not given["diagonal"], "pixdim of 3 lengths, mode bilinear or nearest"
    )
    resampling = Resampling.model_validate(
        {
            "image": ORDERS[mode],
            "separate_z": "never",
            "normalize": "after" if found.normalize is None else "before",
        }
    )
    note = (
        "Resampling keeps the image's whole extent; MONAI keeps the centre of the first voxel, so that its "
        "grid may be shifted by up to half a voxel."
    )
    x, y, z = (float(length) for length in pixdim)
    return replace(found, spacing=(x, y, z), resampling=resampling, notes=(*found.notes, note))


def _zscore(step: Step, found: Preprocessing) -> Preprocessing:
    given = step.only(nonzero=False, channel_wise=False, subtrahend=None, divisor=None, dtype=None)
    step.expect(given["subtrahend"] is None and given["divisor"] is None, "statistics of the image itself")
    step.expect(bool(given["channel_wise"]) or found.channels == 1, "channel_wise true")
    return _scaled(step, found, Normalize(mask="nonzero" if given["nonzero"] else "none"))


def _range(step: Step, found: Preprocessing) -> Preprocessing:
    """Clip and map to a range, as nnU-Net's CT scheme does."""
    given = step.only(a_min=None, a_max=None, b_min=None, b_max=None, clip=False, dtype=None)
    low, high = given["a_min"], given["a_max"]
    bottom, top = given["b_min"] or 0.0, 1.0 if given["b_max"] is None else given["b_max"]
    step.expect(bool(given["clip"]) and None not in (low, high), "clip true and two bounds")
    step.expect(high > low and top > bottom, "rising bounds")
    std = (high - low) / (top - bottom)
    scheme = Normalize(scheme="ct", mask="none", bounds=(low, high), mean=low - bottom * std, std=std)
    return _scaled(step, found, scheme)


def _rescale(step: Step, found: Preprocessing) -> Preprocessing:
    given = step.only(minv=0.0, maxv=1.0, factor=None, channel_wise=False, dtype=None)
    step.expect((given["minv"], given["maxv"], given["factor"]) == (0, 1, None), "a range from 0 to 1")
    step.expect(bool(given["channel_wise"]) or found.channels == 1, "channel_wise true")
    return _scaled(step, found, Normalize(scheme="rescale01", mask="none"))


def _scaled(step: Step, found: Preprocessing, scheme: Normalize) -> Preprocessing:
    step.expect(found.normalize is None, "one normalization")
    return replace(found, normalize=scheme)


CONVERTERS: Mapping[str, Callable[[Step, Preprocessing], Preprocessing]] = {
    "Orientation": _orientation,
    "CropForeground": _crop,
    "Spacing": _spacing,
    "NormalizeIntensity": _zscore,
    "ScaleIntensityRange": _range,
    "ScaleIntensity": _rescale,
}
"""By the name of the transform."""
