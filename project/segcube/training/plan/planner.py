"""Make a plan from a fingerprint, a challenge and a recipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from segcube.core import UsageError, count_of, explain_validation_error
from segcube.importers import same_name
from segcube.networks import INPUTS, OUTPUTS
from segcube.spec.challenges import Challenge
from segcube.spec.submission import Branch, Normalize
from segcube.training.plan.architecture import UNETS, NetworkTask, given_arguments
from segcube.training.plan.branch import count_classes, make_branch, outputs_of
from segcube.training.plan.fingerprint import Fingerprint
from segcube.training.plan.grid import TrainingGrid, plan_grid
from segcube.training.plan.schema import Plan, PreviousStage, Resolution, one_hot_labels, read_plan
from segcube.training.plan.sizes import REFERENCE_BATCH, fixed_size, plan_sizes, plan_slices
from segcube.training.recipes import Recipe

FEWEST_RATES = 10
"""A schedule with fewer learning rates does not follow its curve."""


def make_plan(
    fingerprint: Fingerprint, challenge: Challenge, recipe: Recipe, previous: PreviousStage | None = None
) -> Plan:
    """Plan a training: preprocessing, network, patch and batch; previous: of a second stage.

    The branch's order of axes is the network's: nnU-Net's, or x, y, z for brats-ugrip. The plan's lowres, if
    any, has the same preprocessing at a coarser spacing. Raises UsageError for data that the recipe cannot be
    used for, and for a recipe whose patch or arguments do not fit its network.
    """
    if fingerprint.channels != challenge.channel_names:
        found = f"a fingerprint of the channels {', '.join(fingerprint.channels)}"
        raise UsageError(found, expected=f"{', '.join(challenge.channel_names)}, as {challenge.key} has them")
    outputs = outputs_of(challenge, recipe)
    channels = len(challenge.channels) + len(one_hot_labels(recipe, previous))
    task = NetworkTask(recipe, channels, len(outputs.names), count_classes(outputs))
    grid = plan_grid(fingerprint, recipe.preprocessing)
    if grid.median_shape[0] == 1 and recipe.planning.resolution != "2d":
        hint = "use --set planning.resolution=2d"
        raise UsageError(f"recipe {recipe.name}: cases of one slice", expected="volumes", hint=hint)
    chosen, low = _resolutions(grid, task)
    has_cascade, is_2d = low is not None, recipe.planning.resolution == "2d"
    if low is not None and recipe.planning.resolution == "low":
        chosen, low, has_cascade = low, None, False
    branch = make_branch(grid, fingerprint, challenge, recipe, chosen.patch)
    batch_dice = has_cascade or is_2d if recipe.loss.batch_dice == "auto" else recipe.loss.batch_dice
    spacing = (None, *chosen.spacing[1:]) if is_2d else chosen.spacing
    try:
        return Plan(
            challenge=challenge.key,
            origin=f"recipe {recipe.name}, for {count_of(len(fingerprint.cases), 'case')}",
            branch=branch.model_copy(update={"spacing": spacing}),
            network=recipe.network.name,
            arguments=chosen.arguments,
            patch=chosen.patch,
            batch=chosen.batch,
            gradient_checkpointing=recipe.gradient_checkpointing == "on",
            batch_dice=batch_dice,
            median_shape=chosen.median_shape,
            spacing=chosen.spacing,
            lowres=low,
            previous=previous,
            recipe=recipe,
        )
    except ValidationError as error:
        raise UsageError(f"recipe {recipe.name}: {explain_validation_error(error, Plan)}") from error


def reuse_plan(
    file: Path, challenge: Challenge, recipe: Recipe, previous: PreviousStage | None = None
) -> Plan:
    """Make a plan with the network, preprocessing, patch and batch of another run's plan.yaml.

    Channels and outputs are the challenge's, the rest is the recipe's. Raises EnvironmentFault for an invalid
    file, UsageError for channels of their own normalization that match none of these.
    """
    plan = read_plan(file)
    branch, outputs = plan.branch, outputs_of(challenge, recipe)
    channels = challenge.channel_names
    inputs = len(channels) + len(one_hot_labels(recipe, previous))
    counts = dict.fromkeys(INPUTS, inputs) | dict.fromkeys(OUTPUTS, len(outputs.names))
    arguments = {name: counts.get(name, value) for name, value in plan.arguments.items()}
    batch_dice = recipe.loss.batch_dice
    window = branch.window.model_copy(update={"overlap": recipe.overlap})
    kept = {
        "channels": channels,
        "normalize": _normalize_by_name(branch, channels, file),
        "outputs": outputs,
        "window": window,
        "flips": recipe.mirrors,
    }
    changes = {
        "challenge": challenge.key,
        "origin": f"{file.name} of the run {file.resolve().parent.name}",
        "branch": branch.model_copy(update=kept),
        "arguments": arguments | {"deep_supervision": recipe.loss.supervision != "none"},
        "accumulate": 1,
        "gradient_checkpointing": recipe.gradient_checkpointing == "on",
        "batch_dice": plan.batch_dice if batch_dice == "auto" else batch_dice,
        "lowres": None,
        "estimate": None,
        "previous": previous,
        "recipe": recipe,
    }
    try:
        return Plan.model_validate(plan.model_copy(update=changes).model_dump(by_alias=True))
    except ValidationError as error:
        raise UsageError(
            f"recipe {recipe.name}: {explain_validation_error(error, Plan)}", file=file
        ) from error


def _normalize_by_name(
    branch: Branch, channels: Sequence[str], file: Path
) -> Normalize | tuple[Normalize, ...]:
    """The normalization of a branch for other channels; one for all of them stays."""
    if not isinstance(branch.normalize, tuple):
        return branch.normalize
    matched = [same_name(name, branch.channels) for name in channels]
    if missing := [name for name, old in zip(channels, matched, strict=True) if old is None]:
        found = f"normalizes each channel in its own way, and has no channel {', '.join(missing)}"
        raise UsageError(found, file=file, expected=f"channels that match {', '.join(branch.channels)}")
    return tuple(branch.normalize[branch.channels.index(old)] for old in matched if old is not None)


def _resolutions(grid: TrainingGrid, task: NetworkTask) -> tuple[Resolution, Resolution | None]:
    """Full resolution, and low resolution where nnU-Net's rules plan it."""
    planning, network = task.recipe.planning, task.recipe.network.name
    if planning.rules == "nnunet" and network not in UNETS:
        found = f"recipe {task.recipe.name}: planning.rules nnunet for network {network}"
        expected = f"rules: fixed with patch and batch, or one of {', '.join(UNETS)}"
        raise UsageError(found, expected=expected)
    if planning.rules == "nnunet" and planning.patch is None:
        full, low = (plan_slices(grid, task), None) if planning.resolution == "2d" else plan_sizes(grid, task)
        return (full if planning.batch is None else full.model_copy(update={"batch": planning.batch})), low
    patch, batch = planning.patch, planning.batch or REFERENCE_BATCH
    assert patch is not None
    if network in UNETS and "strides" not in task.recipe.network.arguments:
        return fixed_size(grid, task, patch, batch), None
    fixed = Resolution(
        spacing=grid.spacing,
        median_shape=grid.median_shape,
        patch=patch,
        batch=batch,
        arguments=given_arguments(task),
    )
    return fixed, None


def plan_notices(plan: Plan) -> Iterator[str]:
    """Describe what a plan permits but is seldom wanted."""
    recipe, previous = plan.recipe, plan.previous
    schedule = recipe.schedule
    falls = schedule.kind in ("poly", "cosine")
    if falls and recipe.steps < FEWEST_RATES * schedule.interval:
        yield (
            f"the learning rate changes every {schedule.interval} of {recipe.steps} steps; "
            "--set schedule.interval=1 changes it every step"
        )
    if previous is not None and len(plan.mask_channels) == 1 and len(plan.branch.outputs.names) > 1:
        yield (
            f"the first stage {previous.run} has one output, so that its mask is a single channel; for a "
            "channel of each label, train the first stage with a recipe without preprocessing.union"
        )
