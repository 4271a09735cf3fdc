"""Check the names in a submission against its challenge."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from segcube.core import EnvironmentFault
from segcube.spec.challenges.schema import Challenge, Paint
from segcube.spec.submission.branch import Branch
from segcube.spec.submission.rules import (
    Fill,
    KeepComponents,
    LargestComponent,
    Nest,
    ReplaceSmall,
    Retry,
    Rule,
    Threshold,
    Write,
)
from segcube.spec.submission.schema import Stage, Submission


def check_names(submission: Submission, challenge: Challenge, file: Path) -> None:
    """Check that each channel, region and label name is defined where it is used.

    file: the submission.yaml to name in errors. Raises EnvironmentFault with the place, the unknown names and
    the valid ones.
    """
    channels = [channel.name for channel in challenge.channels]
    for stage in submission.stages:
        for branch in stage.branches:
            _check_known(f"channels of stage {stage.name}", branch.channels, channels, file)
            _check_region_sums(stage, branch, challenge, file)
    last = submission.stages[-1]
    if last.kind == "labels":
        _check_known(f"labels of stage {last.name}", last.names, challenge.labels, file)
    else:
        _check_known(f"regions of stage {last.name}", last.names, challenge.regions, file)
    for index, rule in enumerate(submission.postprocess):
        _check_rule(f"postprocess rule {index} ({rule.rule})", rule, last, challenge, file)
    _check_order(submission, file)


def exchanged_labels(order: Sequence[Paint], challenge: Challenge) -> dict[str, str]:
    """Labels of the challenge that become another one where its regions are written in order, and which.

    A label that the order does not write at all, as of a submission without its region, is left out.
    """
    becomes = {label: paint.label for paint in order for label in challenge.regions[paint.region]}
    written = {paint.label for paint in order}
    return {label: other for label, other in becomes.items() if label != other and label in written}


def _check_region_sums(stage: Stage, branch: Branch, challenge: Challenge, file: Path) -> None:
    if stage.regions is None or branch.outputs.names == stage.regions:
        return
    place = f"outputs of stage {stage.name}"
    if branch.outputs.kind == "regions":
        _check_known(f"regions of stage {stage.name}", stage.regions, branch.outputs.names, file)
        return
    _check_known(place, branch.outputs.names, challenge.labels, file)
    for region in stage.regions:
        _check_known(f"regions of stage {stage.name}", [region], challenge.regions, file)
        summed = f"labels of region {region}, summed from {place}"
        _check_known(summed, challenge.regions[region], branch.outputs.names, file)


def _check_rule(place: str, rule: Rule, last: Stage, challenge: Challenge, file: Path) -> None:
    _, regions, labels = _uses(rule)
    if regions and last.kind == "labels":
        found = f"{place} applies to regions, but stage {last.name} outputs labels"
        raise EnvironmentFault(found, file=file, expected="a stage that outputs regions, or rules for labels")
    _check_known(place, regions, last.names, file)
    _check_known(place, labels, challenge.labels, file)


def _check_order(submission: Submission, file: Path) -> None:
    """Check the order: at most one threshold, rules for regions, at most one write, rules for labels."""
    ranks = [_uses(rule)[0] for rule in submission.postprocess]
    if ranks != sorted(ranks) or ranks.count(0) > 1 or ranks.count(2) > 1:
        found = "order of postprocess: " + ", ".join(rule.rule for rule in submission.postprocess)
        expected = "threshold, then rules for regions, then write, then rules for labels"
        raise EnvironmentFault(found, file=file, expected=expected)


def _uses(rule: Rule) -> tuple[int, Collection[str], Collection[str]]:
    """Return a rule's rank in the order of rules, and the regions and the labels that it names."""
    match rule:
        case Threshold():
            return 0, rule.at, ()
        case KeepComponents():
            return 1, [rule.region, *([rule.unless_holds.region] if rule.unless_holds else [])], ()
        case Nest():
            return 1, rule.order, ()
        case Fill():
            return 1, rule.regions, ()
        case Retry():
            return 1, [rule.region], ()
        case Write():
            return 2, [paint.region for paint in rule.order], [paint.label for paint in rule.order]
        case LargestComponent():
            return 3, (), rule.labels
        case ReplaceSmall():
            return 3, (), (rule.label, rule.with_)


def _check_known(place: str, names: Iterable[str], valid: Iterable[str], file: Path) -> None:
    known = list(valid)
    unknown = [name for name in names if name not in known]
    if unknown:
        found = f"{place}: unknown {', '.join(unknown)}"
        raise EnvironmentFault(found, file=file, expected="one of " + ", ".join(known))
