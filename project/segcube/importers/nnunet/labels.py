"""What an nnU-Net's channels mean in a challenge's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segcube.core import EnvironmentFault, UsageError
from segcube.importers.names import match_labels, match_regions
from segcube.importers.nnunet.model import Model
from segcube.importers.requests import Wishes
from segcube.spec.challenges import BACKGROUND, Challenge
from segcube.spec.submission import Outputs, Paint

IGNORE = "ignore"


@dataclass(frozen=True)
class Decision:
    """A model's channels, and how they become labels."""

    outputs: Outputs
    labels: tuple[str, ...]
    """The labels of its maps, by rising value, without the background."""
    paint: tuple[Paint, ...] = ()
    """Regions in the order in which nnU-Net paints them; none for a label model."""


def decide(model: Model, wishes: Wishes) -> Decision:
    """Name a model's channels and labels in the challenge's words.

    Raises UsageError with the two lists where that is not plain, EnvironmentFault for regions without their
    order.
    """
    declared = declared_labels(model)
    challenge = wishes.target.challenge
    if not any(len(values) > 1 for values in declared.values()):
        found = {values[0]: name for name, values in declared.items()}
        named = match_labels(found, challenge, wishes.labels)
        names = tuple(named[value] for value in sorted(named))
        return Decision(Outputs(kind="labels", names=names), names[1:])
    return _decide_regions(model, declared, wishes)


def own_names(model: Model) -> Decision:
    """A label model's channels under its own names: for a stage that no map of the challenge shows.

    Raises EnvironmentFault for a region model.
    """
    declared = declared_labels(model)
    if any(len(values) > 1 for values in declared.values()):
        raise EnvironmentFault("regions", file=model.source, expected="labels in the first stage")
    names = output_names(model)
    return Decision(Outputs(kind="labels", names=names), names[1:])


def declared_labels(model: Model) -> dict[str, tuple[int, ...]]:
    """The label values of each name of a dataset.json, in its order; the ignore label is none."""
    found = {
        name: (values,) if isinstance(values, int) else values
        for name, values in model.dataset.labels.items()
        if name != IGNORE
    }
    if found.get(BACKGROUND) != (0,):
        raise EnvironmentFault(
            f"labels {', '.join(found)}", file=model.source, expected=f"{BACKGROUND} with the value 0"
        )
    values = [values[0] for values in found.values() if len(values) == 1]
    if len(values) == len(found) and len(set(values)) != len(values):
        told = ", ".join(f"{name}={values[0]}" for name, values in found.items())
        raise EnvironmentFault(
            f"two labels of one value: {told}",
            file=model.source,
            expected="a value of its own for each label",
        )
    return found


def label_names(model: Model) -> dict[int, str]:
    """The source's name of each label value of its maps, by rising value, without the background."""
    found = {value: name for name, values in declared_labels(model).items() for value in values}
    return {value: found[value] for value in sorted(found) if value != 0}


def output_names(model: Model) -> tuple[str, ...]:
    """The source's name of each of its channels."""
    declared = declared_labels(model)
    if not any(len(values) > 1 for values in declared.values()):
        return tuple(sorted(declared, key=lambda name: declared[name]))
    return tuple(name for name, values in declared.items() if set(values) != {0})


def _decide_regions(model: Model, declared: Mapping[str, tuple[int, ...]], wishes: Wishes) -> Decision:
    regions = {name: values for name, values in declared.items() if set(values) != {0}}
    order = model.dataset.regions_class_order
    if order is None or len(order) != len(regions):
        raise EnvironmentFault(
            f"regions_class_order {order} for the regions {', '.join(regions)}",
            file=model.source,
            expected="a label value for each region",
        )
    challenge = wishes.target.challenge
    if wishes.labels:
        names = _regions_of(regions, wishes.labels, challenge)
    else:
        names = match_regions(tuple(regions), challenge)
    members = dict(zip(names, regions.values(), strict=True))
    values = sorted({value for region in members.values() for value in region if value != 0} | set(order))
    named = {value: _label_of(value, members, wishes) for value in values}
    paint = tuple(Paint(region=name, label=named[value]) for name, value in zip(names, order, strict=True))
    return Decision(Outputs(kind="regions", names=names), tuple(named.values()), paint)


def _regions_of(
    regions: Mapping[str, tuple[int, ...]], given: Mapping[str, int], challenge: Challenge
) -> tuple[str, ...]:
    """The challenge's regions that hold the same labels."""
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


def _label_of(value: int, members: Mapping[str, Sequence[int]], wishes: Wishes) -> str:
    """The challenge's label that lies in the same regions as a value of the source."""
    for name, given in wishes.labels.items():
        if given == value:
            return name
    challenge = wishes.target.challenge
    around = {name for name, values in members.items() if value in values}
    same = [
        label
        for label in challenge.labels
        if label != BACKGROUND and {name for name in members if label in challenge.regions[name]} == around
    ]
    if len(same) != 1:
        raise UsageError(
            f"the source's label {value} lies in {', '.join(sorted(around)) or 'no region'}",
            expected=f"one label there, not {', '.join(same) or 'none'}",
            hint="say the source's labels with --labels",
        )
    return same[0]
