"""Make a plan from nnU-Net's plans.json and dataset.json, so that a training repeats nnU-Net's."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from segcube.core import EnvironmentFault, UsageError, Vector, explain_validation_error
from segcube.importers import ImportOptions
from segcube.importers.nnunet import PlannedModel, branch_of, challenge_labels, network_of, read_planned
from segcube.spec.submission import Member
from segcube.training.plan.schema import (
    PLACEHOLDER,
    PLACEHOLDER_SHA256,
    Plan,
    PreviousStage,
    Resolution,
    complete_arguments,
    one_hot_labels,
)
from segcube.training.recipes import Recipe

FULL, LOW = "3d_fullres", "3d_lowres"


def import_plans(
    plans: Path,
    options: ImportOptions,
    recipe: Recipe,
    configuration: str = FULL,
    previous: PreviousStage | None = None,
) -> Plan:
    """Make a plan from one configuration of nnU-Net's plans.

    plans: the JSON file, with dataset.json beside it. options: the challenge, and names where they do not
    match. The recipe supplies loss, optimizer and augmentation; network, preprocessing, patch and batch are
    nnU-Net's. previous: the first stage, of a cascade. Raises EnvironmentFault for broken or unsupported
    files, UsageError for ambiguous names, and for a configuration that follows another without `previous`.
    """
    model = read_planned(plans, configuration, recipe.mirrors)
    follows = model.configuration.previous_stage or (
        "a mask" if model.configuration.is_cascaded_mask else None
    )
    if follows and previous is None:
        raise UsageError(
            f"{configuration} follows {follows}",
            file=plans,
            expected="the run of that stage (--previous), or a configuration such as 3d_fullres",
        )
    outputs = challenge_labels(model, options).outputs
    sizes = len(one_hot_labels(recipe, previous)), len(outputs.names)
    resolution = _resolution(model, sizes, recipe)
    low = None
    if configuration == FULL and LOW in model.plans.configurations:
        low = _resolution(read_planned(plans, LOW, recipe.mirrors), sizes, recipe)
    branch = branch_of(model, outputs, (Member(file=PLACEHOLDER, sha256=PLACEHOLDER_SHA256),), options)
    window = branch.window.model_copy(update={"overlap": recipe.overlap})
    batch_dice = recipe.loss.batch_dice
    try:
        return Plan(
            challenge=options.target.reference,
            origin=f"{configuration} of {plans.name}, {model.plans.dataset_name}",
            branch=branch.model_copy(update={"window": window}),
            network=_network(model, sizes)[0],
            arguments=resolution.arguments,
            patch=resolution.patch,
            batch=resolution.batch,
            gradient_checkpointing=recipe.gradient_checkpointing == "on",
            batch_dice=model.configuration.batch_dice if batch_dice == "auto" else batch_dice,
            median_shape=resolution.median_shape,
            spacing=resolution.spacing,
            lowres=low,
            previous=previous,
            recipe=recipe,
        )
    except ValidationError as error:
        raise EnvironmentFault(explain_validation_error(error, Plan), file=plans) from error


def _spacing_of(model: PlannedModel) -> Vector:
    """The spacing of a configuration; across slices of a 2d one, that of the median case, or else 1 mm."""
    across, *within = model.configuration.spacing
    original = model.plans.original_median_spacing_after_transp
    if across is None:
        across = original[0] if original else 1.0
    return across, within[0], within[1]


def _network(model: PlannedModel, sizes: tuple[int, int]) -> tuple[str, dict[str, object]]:
    """sizes: channels beside those of the image, and outputs."""
    masks, outputs = sizes
    return network_of(model, len(model.dataset.channels) + masks, outputs)


def _resolution(model: PlannedModel, sizes: tuple[int, int], recipe: Recipe) -> Resolution:
    configuration = model.configuration
    if configuration.batch_size is None or configuration.median_image_size_in_voxels is None:
        expected = "batch_size and median_image_size_in_voxels, as nnU-Net's planner writes them"
        raise EnvironmentFault(f"{model.name} is incomplete", file=model.source, expected=expected)
    network, arguments = _network(model, sizes)
    supervision = {"deep_supervision": recipe.loss.supervision != "none"}
    try:
        return Resolution(
            spacing=_spacing_of(model),
            median_shape=configuration.median_image_size_in_voxels,
            patch=configuration.patch_size,
            batch=configuration.batch_size,
            arguments=complete_arguments(network, arguments | supervision),
        )
    except ValidationError as error:
        raise EnvironmentFault(
            f"{model.name}: {explain_validation_error(error, Resolution)}", file=model.source
        ) from error
