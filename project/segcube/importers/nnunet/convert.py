"""nnU-Net models as a submission."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from segcube.core import UsageError
from segcube.importers.nnunet.branch import branch_of
from segcube.importers.nnunet.labels import Decision, decide, output_names, own_names
from segcube.importers.nnunet.model import Model, network_of, read_folder
from segcube.importers.requests import Imported, Source, Wishes, pending
from segcube.spec.submission import Follows, Length, Rule, Stage, Submission, Write


@dataclass(frozen=True)
class Gate:
    """MBAS's way: outside the earlier mask all is background."""

    keep: Literal["largest_component", "all"] = "largest_component"


def follows_of(model: Model, stage: str, earlier: Decision, own: Decision, gate: Gate) -> Follows:
    """How a model follows the stage that was decided so: as MBAS's gate, or by nnU-Net's one-hot channels.

    Raises UsageError when the two stages' labels differ where they have to be the same.
    """
    configuration = model.configuration
    if configuration.is_cascaded_mask:
        radius = Length(radius=configuration.cascaded_mask_dilation, unit="voxels")
        return Follows(stage=stage, as_="gate", dilate=radius, keep=gate.keep, grid="branch")
    if set(earlier.labels) != set(own.labels):
        raise UsageError(
            f"the earlier stage finds {', '.join(earlier.labels)}",
            file=model.source,
            expected=", ".join(own.labels) + ", as the cascade",
        )
    ordered = earlier.labels == own.labels and not earlier.paint
    names = None if ordered else own.labels
    return Follows(stage=stage, as_="onehot_channels", names=names, paint=earlier.paint)


@dataclass(frozen=True)
class _Part:
    """A stage and where its members come from."""

    stage: Stage
    sources: Mapping[str, Source]


def import_nnunet(
    folder: Path, wishes: Wishes, previous: Path | None = None, checkpoint: str = "final"
) -> Imported:
    """A model folder of nnU-Net v2 as a submission, with the folder of its earlier stage for a cascade.

    checkpoint: final or best. Raises EnvironmentFault and UsageError as `read_folder` and `import_stages` do.
    """
    model = read_folder(folder, wishes.folds, checkpoint)
    before = read_folder(previous, wishes.folds, checkpoint) if previous else None
    return import_stages(model, before, wishes)


def import_stages(
    model: Model,
    previous: Model | None,
    wishes: Wishes,
    gate: Gate | None = None,
    rules: tuple[Rule, ...] = (),
) -> Imported:
    """One model, or an earlier and a later one, as a submission.

    gate: how the later one takes a mask. rules: on the labels of the last stage. Raises UsageError when a
    cascade's earlier stage is missing or not asked for, and when names are not plain.
    """
    _expect_previous(model, previous)
    decision = decide(model, wishes)
    if previous is None:
        parts = [_part(model, model.name, decision, wishes)]
    else:
        parts = _cascade(model, previous, decision, wishes, gate or Gate())
    painting = (Write(rule="write", order=decision.paint),) if decision.paint else ()
    submission = Submission(
        name=wishes.name,
        challenge=wishes.target.reference,
        licence=wishes.licence,
        citation=wishes.citation,
        stages=tuple(part.stage for part in parts),
        postprocess=(*painting, *rules),
    )
    sources = {file: source for part in parts for file, source in part.sources.items()}
    notes = [note for known in (previous, model) if known for note in _notes(known)]
    channels = parts[-1].stage.branches[0].channels
    notes.append(f"Channels: {_renamed(model.dataset.channels, channels)}.")
    notes.append(f"Outputs: {_renamed(output_names(model), decision.outputs.names)}.")
    return Imported(submission, sources, wishes.target, "nnU-Net v2", tuple(notes))


def _cascade(model: Model, previous: Model, decision: Decision, wishes: Wishes, gate: Gate) -> list[_Part]:
    earlier = own_names(previous) if model.configuration.is_cascaded_mask else decide(previous, wishes)
    name = previous.name if previous.name != model.name else f"{previous.name}_earlier"
    follows = follows_of(model, name, earlier, decision, gate)
    extra = len(decision.labels) if follows.as_ == "onehot_channels" else 0
    last = _part(model, model.name, decision, wishes, extra)
    return [
        _part(previous, name, earlier, wishes),
        _Part(last.stage.model_copy(update={"follows": follows}), last.sources),
    ]


def _part(model: Model, name: str, decision: Decision, wishes: Wishes, extra: int = 0) -> _Part:
    """A model's stage; extra: channels that an earlier stage adds to the image."""
    channels = len(model.dataset.channels) + extra
    network, arguments = network_of(model, channels, len(decision.outputs.names))
    sources = {
        f"{name}_fold{fold}.safetensors": Source(network, arguments, (weights.file,), weights.read)
        for fold, weights in model.folds.items()
    }
    members = tuple(pending(file) for file in sources)
    branch = branch_of(model, decision.outputs, members, wishes)
    return _Part(Stage(name=name, merge="logits", branches=(branch,)), sources)


def _expect_previous(model: Model, previous: Model | None) -> None:
    configuration = model.configuration
    needed = "a mask" if configuration.is_cascaded_mask else configuration.previous_stage
    if needed and previous is None:
        raise UsageError(
            f"{model.name} follows {needed}",
            file=model.source,
            expected="the model that comes before it as well",
            hint="name its folder with --previous",
        )
    if previous is not None and not needed:
        raise UsageError(f"{model.name} follows no other model", file=model.source, hint="drop --previous")


def _notes(model: Model) -> list[str]:
    return [
        f"{model.name} of {model.plans.plans_name}, trained by {model.trainer} on "
        f"{model.plans.dataset_name}: fold {', '.join(model.folds)}, averaged in logits with equal weights."
    ]


def _renamed(found: Sequence[str], named: Sequence[str]) -> str:
    return ", ".join(f"{old} is {new}" for old, new in zip(found, named, strict=True))
