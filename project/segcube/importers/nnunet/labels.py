"""Name the outputs and labels of an nnU-Net as the challenge does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segcube.core import EnvironmentFault, UsageError
from segcube.importers.names import match_labels, match_regions
from segcube.importers.nnunet.model import Model
from segcube.importers.options import ImportOptions
from segcube.spec.challenges import BACKGROUND, Challenge
from segcube.spec.submission import Outputs, Paint

IGNORE = "ignore"


@dataclass(frozen=True)
class OutputLabels:
    """The outputs of a model, and how they become labels."""

    outputs: Outputs
    labels: tuple[str, ...]
    """The labels of its maps, by increasing value, without the background."""
    paint: tuple[Paint, ...] = ()
    """Regions in nnU-Net's painting order; empty for a label model."""


def challenge_labels(model: Model, options: ImportOptions) -> OutputLabels:
    """Name the outputs and labels of a model as the challenge does.

    Raises UsageError with both lists for ambiguous or unknown names, EnvironmentFault for regions without
    their order.
    """
    declared = declared_labels(model)
    challenge = options.target.challenge
    if not any(len(values) > 1 for values in declared.values()):
        found = {values[0]: name for name, values in declared.items()}
        named = match_labels(found, challenge, options.labels)
        names = tuple(named[value] for value in sorted(named))
        return OutputLabels(Outputs(kind="labels", names=names), names[1:])
    return _challenge_regions(model, declared, options)


def source_labels(model: Model) -> OutputLabels:
    """Name the outputs and labels of a model as its source does, for a stage that is not in the final map.

    Raises EnvironmentFault for a region model.
    """
    declared = declared_labels(model)
    if any(len(values) > 1 for values in declared.values()):
        raise EnvironmentFault("has regions in its first stage", file=model.source, expected="labels")
    names = output_names(model)
    return OutputLabels(Outputs(kind="labels", names=names), names[1:])


def declared_labels(model: Model) -> dict[str, tuple[int, ...]]:
    """The label values of each name in dataset.json, in its order, without the ignore label."""
    found = {
        name: (values,) if isinstance(values, int) else values
        for name, values in model.dataset.labels.items()
        if name != IGNORE
    }
    if found.get(BACKGROUND) != (0,):
        raise EnvironmentFault(
            f"has the labels {', '.join(found)}", file=model.source, expected=f"{BACKGROUND} with the value 0"
        )
    values = [values[0] for values in found.values() if len(values) == 1]
    if len(values) == len(found) and len(set(values)) != len(values):
        listed = ", ".join(f"{name}={values[0]}" for name, values in found.items())
        raise EnvironmentFault(
            f"has two labels of one value: {listed}",
            file=model.source,
            expected="a different value for each label",
        )
    return found


def label_names(model: Model) -> dict[int, str]:
    """The source's name of each label value, by increasing value, without the background."""
    found = {value: name for name, values in declared_labels(model).items() for value in values}
    return {value: found[value] for value in sorted(found) if value != 0}


def output_names(model: Model) -> tuple[str, ...]:
    """The source's name of each output."""
    declared = declared_labels(model)
    if not any(len(values) > 1 for values in declared.values()):
        return tuple(sorted(declared, key=lambda name: declared[name]))
    return tuple(name for name, values in declared.items() if set(values) != {0})


def _challenge_regions(
    model: Model, declared: Mapping[str, tuple[int, ...]], options: ImportOptions
) -> OutputLabels:
    regions = {name: values for name, values in declared.items() if set(values) != {0}}
    order = model.dataset.regions_class_order
    if order is None or len(order) != len(regions):
        raise EnvironmentFault(
            f"has regions_class_order {order} for the regions {', '.join(regions)}",
            file=model.source,
            expected="a label value for each region",
        )
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
            raise UsageError(
                f"region {name} holds {', '.join(sorted(labels))}",
                expected="the labels of one of " + "; ".join(f"{r}: {', '.join(s)}" for r, s in sets.items()),
                hint="fix --labels, or use a challenge file that has it",
            )
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
        raise UsageError(
            f"the source's label {value} is part of {', '.join(sorted(regions)) or 'no region'}",
            expected=f"one label with the same regions, not {', '.join(same) or 'none'}",
            hint="name the source's labels with --labels",
        )
    return same[0]
