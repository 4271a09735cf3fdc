"""Convert a bundle's inferer and postprocessing to a window, outputs and rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from segcube.importers.monai_bundle.config import Config, Step, step_of
from segcube.spec.submission import LargestComponent, Rule, Threshold, Window

SAVING = ("SaveImage", "Invert", "EnsureType", "ToTensor", "SqueezeDim", "CopyItems")
"""Transforms that restore the grid and write the file."""
WINDOW_DEFAULTS: Mapping[str, Any] = {
    "roi_size": None,
    "overlap": 0.25,
    "mode": "constant",
    "padding_mode": "constant",
    "sigma_scale": 0.125,
    "cval": 0.0,
}
RUNNING = (
    *("sw_batch_size", "sw_device", "device", "progress", "cache_roi_weight_map", "cpu_thresh"),
    *("buffer_steps", "buffer_dim", "with_coord"),
)
"""Arguments of an inferer without effect on the result."""


@dataclass(frozen=True)
class Postprocessing:
    """How logits become labels."""

    kind: Literal["regions", "labels"]
    threshold: float = 0.5
    largest: tuple[int, ...] | None = None
    """Label values whose largest component is kept, empty for all labels; None keeps every component."""
    notes: tuple[str, ...] = ()

    def rules(self, names: tuple[str, ...]) -> tuple[Rule, ...]:
        """Make the rules of a submission; names: its outputs."""
        if self.kind == "regions":
            if self.threshold == 0.5:
                return ()
            return (Threshold(rule="threshold", at=dict.fromkeys(names, self.threshold)),)
        if self.largest is None:
            return ()
        labels = tuple(names[value] for value in self.largest or range(1, len(names)))
        return (LargestComponent(rule="largest_component", labels=labels, connectivity=26),)


def window_of(config: Config) -> Window:
    """Convert the sliding window. Raises EnvironmentFault for other inferers and unsupported arguments."""
    step = step_of(config.content.get("inferer"), config, "inferer")
    if step is None or step.name != "SlidingWindowInferer":
        found = step.name if step else "disabled"
        raise config.fault(f"the inferer is {found}, which segcube does not have", "SlidingWindowInferer")
    arguments = {key: value for key, value in step.arguments.items() if key not in RUNNING}
    step = replace(step, arguments=arguments)
    given = step.only(**WINDOW_DEFAULTS)
    for key in ("padding_mode", "sigma_scale", "cval"):
        step.expect(given[key] == WINDOW_DEFAULTS[key], f"{key} {WINDOW_DEFAULTS[key]!r}")
    size = given["roi_size"]
    sides = [size] * 3 if isinstance(size, int) else size
    is_size = isinstance(sides, list) and all(type(side) is int and side > 0 for side in sides)
    step.expect(is_size and len(sides) == 3, "roi_size of three numbers above 0")
    step.expect(not isinstance(given["overlap"], list), "one overlap for all axes")
    x, y, z = sides
    return Window(size=(x, y, z), overlap=given["overlap"], plan="monai", blend=given["mode"])


def postprocessing_of(steps: list[Step], config: Config) -> Postprocessing:
    """Convert the transforms of predictions. Raises EnvironmentFault for an unsupported one or argument."""
    kind, notes, values = _kind(steps, config), [], {}
    for step in steps:
        match step.name:
            case "Activations":
                pass
            case "AsDiscrete":
                given = step.only(argmax=False, threshold=None, to_onehot=None, rounding=None)
                step.expect(given["rounding"] is None, "argmax or a threshold")
                step.expect(bool(given["argmax"]) == (kind == "labels"), f"what suits {kind}")
                if kind == "regions" and given["threshold"] is not None:
                    values["threshold"] = float(given["threshold"])
            case "KeepLargestConnectedComponent" if kind == "labels":
                values["largest"] = _largest(step)
            case "Lambda" if kind == "regions":
                notes.append(
                    "Regions are written in the challenge's order; the source's expression was not evaluated."
                )
            case name if name in SAVING:
                pass
            case _:
                step.refuse(
                    f"one of Activations, AsDiscrete, KeepLargestConnectedComponent, {', '.join(SAVING)}"
                )
    return Postprocessing(kind, notes=tuple(notes), **values)


def _kind(steps: list[Step], config: Config) -> Literal["regions", "labels"]:
    for step in steps:
        if step.name == "Activations":
            given = step.only(sigmoid=False, softmax=False, other=None)
            step.expect(given["other"] is None, "sigmoid or softmax")
            step.expect(bool(given["sigmoid"]) != bool(given["softmax"]), "sigmoid or softmax")
            return "regions" if given["sigmoid"] else "labels"
        if step.name == "AsDiscrete" and step.arguments.get("argmax"):
            return "labels"
    raise config.fault("the postprocessing has neither Activations nor argmax", "sigmoid, softmax or argmax")


def _largest(step: Step) -> tuple[int, ...]:
    given = step.only(
        applied_labels=None, is_onehot=None, independent=True, connectivity=None, num_components=1
    )
    step.expect(bool(given["independent"]) and given["num_components"] == 1, "one component of each label")
    step.expect(given["connectivity"] in (None, 3), "full connectivity")
    labels = given["applied_labels"]
    return tuple(labels or ()) if isinstance(labels, list | None) else (labels,)
