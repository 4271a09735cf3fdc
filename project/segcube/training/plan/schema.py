"""Schema of plan.yaml: a branch of a submission, its network, patch and batch, and the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

import yaml
from pydantic import Field, model_validator

from segcube.core import (
    BoundedShape,
    EnvironmentFault,
    FileName,
    Name,
    Sha256,
    SpacingMm,
    StrictModel,
    UsageError,
    read_model,
    write_atomic,
)
from segcube.networks import check_arguments
from segcube.spec.submission import Branch, Follows, Paints, mask_names
from segcube.training.losses import is_divisible
from segcube.training.patches import PatchRules
from segcube.training.recipes import Recipe

PLACEHOLDER = "fold_0.safetensors"
"""The only member of a plan's branch, until `collect` replaces it by those that were trained."""
PLACEHOLDER_SHA256 = "0" * 64
Count: TypeAlias = Annotated[int, Field(ge=1)]
Amount: TypeAlias = Annotated[float, Field(ge=0.0)]
MedianShape: TypeAlias = tuple[Amount, Amount, Amount]
"""In voxels; the median of an even number of cases may have halves."""


class Budget(StrictModel):
    """What a step takes on a device: measured forward and backward passes, without data and validation."""

    device: Name
    memory_gb: Amount
    """Peak, with the optimizer's state: of the GPU's allocated memory, or of the process on a CPU."""
    available_gb: Amount
    seconds: Amount
    """A step."""
    hours: Amount
    """All steps of the recipe."""


class Resolution(StrictModel):
    """A network and its patches at one spacing, in the branch's order of axes."""

    spacing: tuple[SpacingMm, SpacingMm, SpacingMm]
    median_shape: MedianShape
    patch: BoundedShape
    batch: Count
    arguments: dict[str, Any]


class PreviousStage(StrictModel):
    """The first stage of a cascade, whose out-of-fold label maps a second one is trained on.

    labels: values in these maps, without the background. paint: how regions of its output become labels.
    folds: SHA-256 of its validation cases by fold, which are those of the second stage.
    """

    run: Path
    name: Name
    """Of the stage in a submission."""
    labels: dict[Name, Annotated[int, Field(ge=1)]]
    paint: Paints = ()
    folds: Sha256


class Plan(StrictModel):
    """All that a training depends on but the cases and their folds.

    origin: what determined the plan. branch: of the submission, with a placeholder as its member. batch:
    samples of a step, processed in `accumulate` parts. batch_dice: whether a Dice is computed over the
    batch as a whole. lowres: where a patch shows less than a quarter of a median case, the first stage of a
    cascade, after nnU-Net.
    """

    format: Literal[1] = 1
    challenge: FileName
    origin: Name
    branch: Branch
    network: Name
    arguments: dict[str, Any]
    """Complete, as `segcube.networks.build_network` takes them."""
    patch: BoundedShape
    batch: Count
    accumulate: Count = 1
    gradient_checkpointing: bool = False
    batch_dice: bool
    median_shape: MedianShape
    """Of the cropped and resampled cases, in the branch's order of axes."""
    spacing: tuple[SpacingMm, SpacingMm, SpacingMm]
    """Of these, in mm."""
    lowres: Resolution | None = None
    estimate: Budget | None = None
    previous: PreviousStage | None = None
    recipe: Recipe

    @model_validator(mode="after")
    def _check_network(self) -> Self:
        try:
            checked = check_arguments(self.network, self.arguments)
        except UsageError as error:
            raise ValueError(str(error)) from error
        expected = len(self.input_channels), len(self.branch.outputs.names)
        if checked.channels != expected:
            found = "{} input and {} output channels".format(*checked.channels)
            source = "branch and previous" if self.mask_channels else "branch"
            raise ValueError(f"arguments: {found}; expected {expected[0]} and {expected[1]} as in {source}")
        return self

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        if self.patch != self.branch.window.size:
            found = f"patch {list(self.patch)}"
            size = list(self.branch.window.size)
            raise ValueError(f"{found}; expected branch.window.size, {size}, which has to be the same")
        multiple = check_arguments(self.network, self.arguments).multiple
        if any(length % step for length, step in zip(self.patch, multiple, strict=True)):
            raise ValueError(f"patch {list(self.patch)}; expected multiples of {list(multiple)}")
        if self.patch == multiple:
            # The norm of a single voxel has no variance
            found = f"patch {list(self.patch)} is a single voxel at the network's lowest resolution"
            raise ValueError(f"{found}; expected a larger patch, in multiples of {list(multiple)}")
        if self.accumulate > self.batch:
            raise ValueError(f"accumulate {self.accumulate}; expected at most batch, {self.batch}")
        if self.accumulate > 1 and not is_divisible(self.recipe.loss, batch_dice=self.batch_dice):
            found = f"accumulate {self.accumulate}, though the loss is not that of the batch's parts"
            raise ValueError(
                f"{found}; expected 1, or batch_dice false and another recipe.loss.entropy than topk"
            )
        return self

    @property
    def follows(self) -> Follows | None:
        """How a submission's stage uses the previous one; None for a single stage."""
        cascade = self.recipe.cascade
        if self.previous is None or cascade is None:
            return None
        values: dict[str, Any] = {"stage": self.previous.name, "as": cascade.as_, "keep": cascade.keep}
        if cascade.as_ == "gate":
            dilate = {"radius": cascade.dilate, "unit": "voxels"}
            return Follows.model_validate(values | {"dilate": dilate, "grid": "branch"})
        return Follows.model_validate(values | {"paint": self.previous.paint})

    @property
    def mask_channels(self) -> tuple[str, ...]:
        """The labels of the previous stage that are channels of the network's input, after the branch's."""
        return one_hot_labels(self.recipe, self.previous)

    @property
    def input_channels(self) -> tuple[str, ...]:
        """All channels of the network's input."""
        return self.branch.channels + mask_names(self.mask_channels)

    @property
    def patch_rules(self) -> PatchRules:
        """How patches are drawn, cut and augmented."""
        recipe = self.recipe
        return PatchRules(
            branch=self.branch,
            patch=self.patch,
            batch=self.batch,
            steps=recipe.steps,
            sampling=recipe.sampling,
            augmentation=recipe.augmentation,
            phantoms=recipe.synthetic.share if recipe.synthetic is not None else 0.0,
            cascade=recipe.cascade,
            masks=len(self.mask_channels) or 1,
        )

    def ignores(self, ignore_value: int | None) -> bool:
        """Return whether voxels may take no part in the loss; ignore_value: of the label maps."""
        cascade = self.recipe.cascade
        return ignore_value is not None or (cascade is not None and cascade.as_ == "gate")

    @model_validator(mode="after")
    def _check_class_weights(self) -> Self:
        weights = self.recipe.sampling.class_weights
        if weights is None:
            return self
        outputs = self.branch.outputs
        # The first of the labels is the background
        valid = outputs.names[1:] if outputs.kind == "labels" else outputs.names
        unknown = [name for name in weights if name not in valid]
        found = f"has {', '.join(unknown)}" if unknown else "has no weight above 0"
        if unknown or not any(weights.values()):
            expected = f"weights of {', '.join(valid)}, one of them above 0"
            raise ValueError(f"recipe.sampling.class_weights {found}; expected {expected}")
        return self


def one_hot_labels(recipe: Recipe, previous: PreviousStage | None) -> tuple[str, ...]:
    """Return the labels of a previous stage that a second one gets as channels; none for a gate."""
    cascade = recipe.cascade
    if previous is None or cascade is None or cascade.as_ != "onehot_channels":
        return ()
    return tuple(previous.labels)


def complete_arguments(network: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a network's arguments with all defaults, as in YAML. Raises UsageError for invalid ones."""
    return check_arguments(network, arguments).model_dump(mode="json")


def write_plan(plan: Plan, file: Path) -> None:
    """Write plan.yaml with all values. Raises EnvironmentFault when it cannot be written."""
    content = plan.model_dump(mode="json", by_alias=True)
    write_atomic(file, yaml.safe_dump(content, sort_keys=False, width=110).encode())


def read_plan(file: Path) -> Plan:
    """Read plan.yaml. Raises EnvironmentFault for a file that is missing or invalid, with keys and values."""
    return read_model(file, Plan, EnvironmentFault)
