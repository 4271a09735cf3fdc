"""Convert one nnU-Net model, or a cascade of two, to a submission."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from segcube.core import UsageError
from segcube.importers.nnunet.branch import branch_of
from segcube.importers.nnunet.labels import OutputLabels, challenge_labels, source_labels
from segcube.importers.nnunet.model import Model, network_of, read_folder
from segcube.importers.options import ImportOptions
from segcube.importers.write import Imported, Source, pending
from segcube.spec.submission import DilationRadius, Follows, Rule, Stage, Submission, Write, exchanged_labels

Keep: TypeAlias = Literal["largest_component", "all"]
"""The part of the first stage's mask that MBAS uses; all outside it is background."""


def follows_of(model: Model, stage: str, previous: OutputLabels, labels: OutputLabels, keep: Keep) -> Follows:
    """How a model follows the previous stage: by MBAS's gate, or by nnU-Net's one-hot channels.

    Raises UsageError when the labels of the two stages differ in an nnU-Net cascade.
    """
    configuration = model.configuration
    if configuration.is_cascaded_mask:
        radius = DilationRadius(radius=configuration.cascaded_mask_dilation, unit="voxels")
        return Follows(stage=stage, as_="gate", dilate=radius, keep=keep, grid="branch")
    if set(previous.labels) != set(labels.labels):
        found = f"the previous stage has the labels {', '.join(previous.labels)}"
        raise UsageError(found, file=model.source, expected=", ".join(labels.labels) + ", as the cascade")
    is_ordered = previous.labels == labels.labels and not previous.paint
    names = None if is_ordered else labels.labels
    return Follows(stage=stage, as_="onehot_channels", names=names, paint=previous.paint)


def import_nnunet(
    folder: Path, options: ImportOptions, previous: Path | None = None, checkpoint: str = "final"
) -> Imported:
    """Convert a model folder of nnU-Net v2.

    previous: the model folder of the first stage of a cascade. checkpoint: final or best. Raises
    EnvironmentFault and UsageError as `read_folder` and `import_stages` do.
    """
    model = read_folder(folder, options.folds, checkpoint)
    before = read_folder(previous, options.folds, checkpoint) if previous else None
    return import_stages(model, before, options)


def import_stages(
    model: Model,
    previous: Model | None,
    options: ImportOptions,
    keep: Keep = "largest_component",
    rules: tuple[Rule, ...] = (),
) -> Imported:
    """Convert one model, or the previous and the last one of a cascade.

    keep: for a cascade of MBAS. rules: for the labels of the last stage. Raises UsageError for a cascade
    without its previous stage, a previous stage without a cascade, and ambiguous names.
    """
    _expect_previous(model, previous)
    labels, sources = challenge_labels(model, options), dict[str, Source]()
    if previous is None:
        stages = (_stage(model, labels, options, sources, model.name),)
    else:
        is_gate = model.configuration.is_cascaded_mask
        first = source_labels(previous) if is_gate else challenge_labels(previous, options)
        name = previous.name if previous.name != model.name else f"{previous.name}_earlier"
        stages = (
            _stage(previous, first, options, sources, name),
            _stage(model, labels, options, sources, model.name, follows_of(model, name, first, labels, keep)),
        )
    painting = (Write(rule="write", order=labels.paint),) if labels.paint else ()
    submission = Submission(
        **options.submission_fields(),
        stages=stages,
        postprocess=(*painting, *rules),
    )
    notes = (
        *(_describe(one) for one in (previous, model) if one),
        f"Channels: {_renamed(model.dataset.channels, stages[-1].branches[0].channels)}.",
        f"Outputs: {_renamed(model.dataset.outputs, labels.outputs.names)}.",
        *(
            f"Warning: as regions_class_order of dataset.json has it, {label} is written as {other}."
            for label, other in exchanged_labels(labels.paint, options.target.challenge).items()
        ),
    )
    return Imported(submission, sources, options.target, "nnU-Net v2", notes)


def _stage(
    model: Model,
    labels: OutputLabels,
    options: ImportOptions,
    sources: dict[str, Source],
    name: str,
    follows: Follows | None = None,
) -> Stage:
    """Convert a model to a stage, and add its members' sources by file."""
    # A cascade gets a channel for each label of the previous stage
    extra = len(labels.labels) if follows and follows.as_ == "onehot_channels" else 0
    channels = len(model.dataset.channels) + extra
    network, arguments = network_of(model, channels, len(labels.outputs.names))
    own = {
        f"{name}_fold{fold}.safetensors": Source(network, arguments, (file,), partial(model.load, file))
        for fold, file in model.folds.items()
    }
    sources |= own
    branch = branch_of(model, labels.outputs, tuple(map(pending, own)), options)
    return Stage(name=name, merge="logits", follows=follows, branches=(branch,))


def _expect_previous(model: Model, previous: Model | None) -> None:
    configuration = model.configuration
    needed = "a mask" if configuration.is_cascaded_mask else configuration.previous_stage
    if needed and previous is None:
        found = f"{model.name} is a cascade that follows {needed}"
        expected = "the previous model as well"
        raise UsageError(found, file=model.source, expected=expected, hint="name its folder with --previous")
    if previous is not None and not needed:
        found, expected = f"{model.name} is not a cascade", "one that follows the previous model"
        raise UsageError(found, file=model.source, expected=expected, hint="drop --previous")


def _describe(model: Model) -> str:
    return (
        f"{model.name} of {model.plans.plans_name}, trained by {model.trainer} on "
        f"{model.plans.dataset_name}: fold {', '.join(model.folds)}, averaged in logits with equal weights."
    )


def _renamed(found: Sequence[str], named: Sequence[str]) -> str:
    """The names that the challenge does not share; the others match by name."""
    renamed = [f"{old} is {new}" for old, new in zip(found, named, strict=True) if old != new]
    return ", ".join(renamed) or "matched by name"
