"""The part of nnU-Net v1 plans that prediction depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcube.core import EnvironmentFault, Shape, Vector
from segcube.spec.submission import Normalize, Resampling

STAGE_ARGUMENT = 5
"""Index of the stage among a trainer's arguments: plans, fold, two folders, batch_dice, stage, ..."""
IMAGE_ORDERS = {"GenericPreprocessor": 3, "GenericPreprocessor_linearResampling": 1}
"""Spline orders of the supported preprocessors."""
SEPARATE_Z = {None: "auto", True: "always", False: "never"}
EXPORT_DEFAULTS: Mapping[str, Any] = {
    "force_separate_z": None,
    "interpolation_order": 1,
    "interpolation_order_z": 0,
}


@dataclass(frozen=True)
class PlansV1:
    """A `.model.pkl`: the trainer's name and arguments, and the plans."""

    trainer: str
    plans: Mapping[Any, Any]
    stage: Mapping[str, Any]
    """The part of the plans that this network was trained with."""
    file: Path

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the channels."""
        return tuple(str(self.plans["modalities"][index]) for index in range(self.plans["num_modalities"]))

    @property
    def values(self) -> tuple[int, ...]:
        """Label values, without the background's."""
        return tuple(int(value) for value in self.plans["all_classes"])

    @property
    def axes(self) -> str:
        """The order of the array axes: v1 reads (z, y, x), then transposes."""
        forward = self.plans.get("transpose_forward", (0, 1, 2))
        return "".join("zyx"[int(axis)] for axis in forward)

    @property
    def spacing(self) -> Vector:
        """In mm, in the order of `axes`."""
        x, y, z = (float(length) for length in self.stage["current_spacing"])
        return x, y, z

    @property
    def window(self) -> Shape:
        """The patch, in the order of `axes`."""
        x, y, z = (int(length) for length in self.stage["patch_size"])
        return x, y, z

    def normalize(self) -> tuple[Normalize, ...]:
        """Convert the normalization of each channel. Raises EnvironmentFault for an unsupported one."""
        return tuple(self._normalize_one(channel) for channel in range(self.plans["num_modalities"]))

    def resampling(self) -> Resampling:
        """Convert the resampling. Raises EnvironmentFault for an unsupported preprocessor."""
        preprocessor = self.plans.get("preprocessor_name", "GenericPreprocessor")
        if preprocessor not in IMAGE_ORDERS:
            self.refuse(f"the preprocessor {preprocessor}", " or ".join(IMAGE_ORDERS))
        export = {**EXPORT_DEFAULTS, **self.plans.get("segmentation_export_params", {})}
        separate = SEPARATE_Z[export["force_separate_z"]]
        output = {
            "order": export["interpolation_order"],
            "order_z": export["interpolation_order_z"],
            "separate_z": separate,
        }
        return Resampling.model_validate(
            {"image": IMAGE_ORDERS[preprocessor], "output": output, "normalize": "after"}
        )

    def refuse(self, found: str, expected: str) -> None:
        """Raise EnvironmentFault that names this file."""
        raise EnvironmentFault(f"names {found}", file=self.file, expected=expected)

    def _normalize_one(self, channel: int) -> Normalize:
        scheme = str(self.plans["normalization_schemes"][channel])
        masked = bool(self.plans["use_mask_for_norm"][channel])
        if scheme == "noNorm":
            return Normalize(scheme="none", mask="none")
        if scheme == "CT" and not masked:
            known = self.plans["dataset_properties"]["intensityproperties"][channel]
            bounds = (float(known["percentile_00_5"]), float(known["percentile_99_5"]))
            return Normalize(
                scheme="ct", mask="none", bounds=bounds, mean=float(known["mean"]), std=float(known["sd"])
            )
        if scheme.startswith("CT"):
            self.refuse(f"the normalization {scheme}{' with a mask' if masked else ''}", "CT without a mask")
        # v1 applies the z-score for every other name
        return Normalize(mask="foreground" if masked else "none")


def read_plans(file: Path, tree: object) -> PlansV1:
    """Read the plans in a `.model.pkl`. Raises EnvironmentFault if they are not those of nnU-Net v1."""
    if not isinstance(tree, dict) or not {"init", "name", "plans"} <= set(tree):
        raise EnvironmentFault("holds no plans", file=file, expected="an nnU-Net v1 .model.pkl")
    plans, init = tree["plans"], tree["init"]
    stages = plans["plans_per_stage"]
    number = init[STAGE_ARGUMENT] if len(init) > STAGE_ARGUMENT else None
    if number is None and len(stages) == 1:
        number = next(iter(stages))
    if number not in stages:
        found = f"is of stage {number}"
        raise EnvironmentFault(found, file=file, expected=f"one of {', '.join(map(str, stages))}")
    if "2D" in str(tree["name"]) or len(stages[number]["patch_size"]) != 3:
        raise EnvironmentFault("holds a 2D model", file=file, expected="a 3D one")
    return PlansV1(str(tree["name"]), plans, stages[number], file)
