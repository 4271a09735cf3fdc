"""Options of a Lightning import, with the settings of BraTS-UGRIP, and its component filters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from segcube.core import Shape, UsageError
from segcube.spec.submission import Holds, KeepComponents, Nest, Rule

Filter: TypeAlias = Literal["none", "validation", "challenge"]
WeightsOf: TypeAlias = Literal["last", "average"]

CHANNELS = ("t2f", "t1n", "t1c", "t2w")
"""BraTS-UGRIP's input channels, in order."""
REGIONS = ("TC", "WT", "ET")
"""BraTS-UGRIP's outputs, in order."""
WINDOW: Shape = (128, 128, 128)
WINDOW_KEYS = ("roi_size", "roi", "patch_size", "img_size", "image_size", "spatial_size", "crop_size")
"""Hyper-parameters that trainers name the patch size by."""


@dataclass(frozen=True)
class Bounds:
    """Bounds of the components that a filter keeps."""

    voxels: Mapping[str, int]
    mean_probability: float
    count: int


FILTERS: Mapping[Filter, Bounds] = {
    "validation": Bounds({"ET": 60, "TC": 60, "WT": 60}, 0.775, 5),
    "challenge": Bounds({"ET": 100, "TC": 150, "WT": 500}, 0.1, 10),
}


@dataclass(frozen=True)
class LightningOptions:
    """Options of this kind of import; the defaults are those of BraTS-UGRIP."""

    regions: tuple[str, ...] = REGIONS
    weights: tuple[tuple[float, ...], ...] = ()
    """For each checkpoint one weight, or one for each region; empty: equal weights."""
    window: Shape | None = None
    """None: the patch size of the hyper-parameters, or 128 a side."""
    overlap: float = 0.5
    blend: Literal["gaussian", "constant"] = "gaussian"
    mirroring: bool = True
    cast: bool = True
    """Cast scans to int16 and take absolute values first."""
    percentiles: tuple[float, float] | None = None
    """Rescale between these instead of the z-score."""
    filter: Filter = "none"
    prefix: str | None = None
    """Prefix of the network's entries, for a checkpoint with several networks."""
    weights_of: WeightsOf = "last"
    """The weights as saved, which BraTS-UGRIP validated and predicted with, or the schedule-free average."""


UGRIP = LightningOptions()


def patch_in(settings: object) -> Shape | None:
    """Find the patch size in hyper-parameters; None if there is none or more than one."""
    found = {size for key, size in _sizes(settings) if key.lower() in WINDOW_KEYS}
    return found.pop() if len(found) == 1 else None


def component_rules(choice: Filter, regions: tuple[str, ...]) -> tuple[Rule, ...]:
    """Make the rules of BraTS-UGRIP's component filters, then nest ET in TC in WT.

    A component that holds half of a kept inner region stays, whatever its size. `none` only nests, or gives
    no rules for other regions. Raises UsageError for a filter with other regions.
    """
    if set(regions) != set(REGIONS):
        if choice != "none":
            raise UsageError(
                f"--filter {choice} for the regions {', '.join(regions)}",
                expected=f"the regions {', '.join(REGIONS)}, whose components BraTS-UGRIP bounds",
                hint="leave the option out, and write rules of your own into submission.yaml",
            )
        return ()
    if choice == "none":
        return (Nest(rule="nest", order=("ET", "TC", "WT")),)
    bounds = FILTERS[choice]
    return (
        _keep("ET", bounds, None),
        _keep("TC", bounds, "ET"),
        Nest(rule="nest", order=("ET", "TC")),
        _keep("WT", bounds, "TC"),
        Nest(rule="nest", order=("TC", "WT")),
    )


def _keep(region: str, bounds: Bounds, inner: str | None) -> KeepComponents:
    return KeepComponents(
        rule="keep_components",
        region=region,
        connectivity=26,
        min_voxels=bounds.voxels[region],
        min_mean_probability=bounds.mean_probability,
        max_count=bounds.count,
        unless_holds=Holds(region=inner, share=0.5) if inner else None,
    )


def _sizes(settings: object) -> Iterator[tuple[str, Shape]]:
    if not isinstance(settings, Mapping):
        return
    for key, value in settings.items():
        size = _size(value)
        if size:
            yield str(key), size
        yield from _sizes(value)


def _size(value: Any) -> Shape | None:
    sides = (value,) * 3 if type(value) is int else tuple(value) if isinstance(value, list | tuple) else ()
    if len(sides) != 3 or not all(type(side) is int and side > 0 for side in sides):
        return None
    x, y, z = sides
    return x, y, z
