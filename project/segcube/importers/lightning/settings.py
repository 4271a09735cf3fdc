"""What a Lightning checkpoint's hyper-parameters say about prediction, and BraTS-UGRIP's own settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from segcube.core import Shape, UsageError
from segcube.spec.submission import Holds, KeepComponents, Nest, Rule

Filter: TypeAlias = Literal["none", "validation", "challenge"]
WeightsOf: TypeAlias = Literal["last", "average"]

CHANNELS = ("t2f", "t1n", "t1c", "t2w")
"""The order in which BraTS-UGRIP stacks them."""
REGIONS = ("TC", "WT", "ET")
"""Its outputs."""
WINDOW: Shape = (128, 128, 128)
WINDOW_KEYS = ("roi_size", "roi", "patch_size", "img_size", "image_size", "spatial_size", "crop_size")
"""Names under which trainers keep the size of their patches."""


@dataclass(frozen=True)
class Bounds:
    """What a component needs in order to stay."""

    voxels: Mapping[str, int]
    mean_probability: float
    count: int


FILTERS: Mapping[Filter, Bounds] = {
    "validation": Bounds({"ET": 60, "TC": 60, "WT": 60}, 0.775, 5),
    "challenge": Bounds({"ET": 100, "TC": 150, "WT": 500}, 0.1, 10),
}


@dataclass(frozen=True)
class LightningWishes:
    """What only this kind of import asks; the defaults are BraTS-UGRIP's."""

    regions: tuple[str, ...] = REGIONS
    weights: tuple[tuple[float, ...], ...] = ()
    """A say for each region, or one for all, a checkpoint each; none gives all the same."""
    window: Shape | None = None
    """None takes the hyper-parameters' patch, or 128 a side."""
    overlap: float = 0.5
    blend: Literal["gaussian", "constant"] = "gaussian"
    flips: bool = True
    cast: bool = True
    """Cast scans to int16 and take the absolute value before all else."""
    percentiles: tuple[float, float] | None = None
    """Rescale to these instead of the z-score."""
    filter: Filter = "none"
    prefix: str | None = None
    """Of the network's entries, where several networks lie in a checkpoint."""
    weights_of: WeightsOf = "last"
    """The weights as saved, which BraTS-UGRIP validated and predicted with, or the schedule-free average."""


UGRIP = LightningWishes()
"""BraTS-UGRIP's own settings."""


def patch_in(settings: object) -> Shape | None:
    """The size of the patches that hyper-parameters name; None where they do not, or not plainly."""
    found = {size for key, size in _sizes(settings) if key.lower() in WINDOW_KEYS}
    return found.pop() if len(found) == 1 else None


def component_rules(choice: Filter, regions: tuple[str, ...]) -> tuple[Rule, ...]:
    """BraTS-UGRIP's component filters, then ET within TC within WT.

    A component that holds half of what was kept further in stays whatever its size; `none` only nests, and
    gives no rules where the regions are others. Raises UsageError for a filter of other regions.
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
