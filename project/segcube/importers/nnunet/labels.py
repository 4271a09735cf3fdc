"""Name the outputs and labels of an nnU-Net as the challenge does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segcube.core import EnvironmentFault, UsageError
from segcube.importers.names import match_labels, match_regions
from segcube.importers.nnunet.model import PlannedModel
from segcube.importers.options import ImportOptions
from segcube.spec.challenges import BACKGROUND, Challenge
from segcube.spec.submission import Outputs, Paint


@dataclass(frozen=True)
class OutputLabels:
    """The outputs of a model, and how they become labels."""

    outputs: Outputs
    labels: tuple[str, ...]
    """The labels of its maps, by increasing value, without the background."""
    paint: tuple[Paint, ...] = ()
    """Regions in nnU-Net's painting order; empty for a label model."""


def challenge_labels(model: PlannedModel, options: ImportOptions) -> OutputLabels:
    """Name the outputs and labels of a model as the challenge does.

    Raises UsageError with both lists for ambiguous or unknown names, EnvironmentFault for regions without
    their order.
    """
    dataset = model.dataset
    if dataset.regions:
        return _challenge_regions(model, options)
    found = {values[0]: name for name, values in dataset.labels.items()}
    named = match_labels(found, options.target.challenge, options.labels)
    names = tuple(named[value] for value in sorted(named))
    return OutputLabels(Outputs(kind="labels", names=names), names[1:])


def source_labels(model: PlannedModel) -> OutputLabels:
    """Name the outputs and labels of a model as its source does, for a stage that is not in the final map.

    Raises EnvironmentFault for a region model.
    """
    if model.dataset.regions:
        raise EnvironmentFault("has regions in its first stage", file=model.source, expected="labels")
    names = model.dataset.outputs
    return OutputLabels(Outputs(kind="labels", names=names), names[1:])


def _challenge_regions(model: PlannedModel, options: ImportOptions) -> OutputLabels:
    regions, order = model.dataset.regions, model.dataset.regions_class_order
    if order is None or len(order) != len(regions):
        found = f"has regions_class_order {order} for the regions {', '.join(regions)}"
        raise EnvironmentFault(found, file=model.source, expected="a label value for each region")
    challenge = options.target.challenge
    if options.labels:
        names = _regions_of(regions, options.labels, challenge)
    else:
        names = match_regions(tuple(regions), challenge)
    members = dict(zip(names, regions.values(), strict=True))
    values = sorted({value for region in members.values() for value in region if value != 0} | set(order))
    named = {value: _label_of(value, members, options) for value in values}
    paint = tuple(Paint(region=name, label=named[value]) for name, value in zip(names, order, strict=True))
    return OutputLabels(Outputs(kind="regions", names=names), tuple(named.values()), paint)


def _regions_of(
    regions: Mapping[str, tuple[int, ...]], given: Mapping[str, int], challenge: Challenge
) -> tuple[str, ...]:
    """Find the challenge's regions of the same labels."""
    label_of = {value: name for name, value in given.items()}
    sets = {name: frozenset(labels) for name, labels in challenge.regions.items()}
    found: list[str] = []
    for name, values in regions.items():
        labels = frozenset(label_of.get(value, f"label {value}") for value in values)
        same = [region for region, own in sets.items() if own == labels]
        if len(same) != 1:
            expected = "the labels of one of " + "; ".join(f"{r}: {', '.join(s)}" for r, s in sets.items())
            hint = "fix --labels, or use a challenge file that has it"
            raise UsageError(f"region {name} holds {', '.join(sorted(labels))}", expected=expected, hint=hint)
        found += same
    return tuple(found)


def _label_of(value: int, members: Mapping[str, Sequence[int]], options: ImportOptions) -> str:
    """Find the challenge's label that is part of the same regions as a value of the source."""
    for name, given in options.labels.items():
        if given == value:
            return name
    challenge = options.target.challenge
    regions = {name for name, values in members.items() if value in values}
    same = [
        label
        for label in challenge.labels
        if label != BACKGROUND and {name for name in members if label in challenge.regions[name]} == regions
    ]
    if len(same) != 1:
        found = f"the source's label {value} is part of {', '.join(sorted(regions)) or 'no region'}"
        expected = f"one label with the same regions, not {', '.join(same) or 'none'}"
        raise UsageError(found, expected=expected, hint="name the source's labels with --labels")
    return same[0]
