"""Challenges as a table on stdout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from segcube.core import EnvironmentFault, plain
from segcube.spec.challenges import challenge_keys, load_challenge
from segcube.spec.submission import Branch, Member, Stage, Submission, describe_weights, read_submission

Regions = Mapping[str, Mapping[str, float]]
"""Metrics by name, region by region."""

SHOWN = (
    "lesionwise_dice",
    "lesionwise_hd95",
    "lesionwise_nsd",
    "lesionwise_nsd_0.5",
    "lesionwise_nsd_1.0",
    "num_tp",
    "num_fp",
    "num_fn",
    "rq",
    "pq_dice",
    "sensitivity_small",
    "dice",
    "iou",
    "hd95",
    "hd95_mm",
    "hd95_voxels",
    "asd",
)
"""The metrics that a terminal has room for, in order; files hold all."""
WORST = 3
WIDE = 200


def print_scores(title: str, mean: Regions, median: Regions, cases: Mapping[str, Regions]) -> None:
    """A row a metric, a column a region: the mean and the median; then each region's worst three cases.

    The worst are so by the first metric, the highest of which is best; a case that has no value is none.
    """
    names = [name for name in SHOWN if any(name in row for row in mean.values())]
    console = _console()
    table = Table("mean (median)", *(Column(plain(region)) for region in mean), title=plain(title))
    for name in names:
        table.add_row(name, *(f"{mean[region][name]:.3f} ({median[region][name]:.3f})" for region in mean))
    console.print(table)
    console.print(f"worst cases by {names[0]}")
    for region in mean:
        values = {case: regions[region][names[0]] for case, regions in cases.items()}
        worst = sorted((case for case in values if not isnan(values[case])), key=lambda case: values[case])
        told = ", ".join(f"{case} {values[case]:.3f}" for case in worst[:WORST])
        console.print(plain(f"  {region}: {told or 'none has a value'}"), soft_wrap=True)


def _console() -> Console:
    """A pipe or a file has room for every region."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDE)


def print_problems(
    problems: Mapping[str, str],
    notices: Mapping[str, tuple[str, ...]],
    without_reference: tuple[str, ...],
    bad_references: Mapping[str, str],
) -> None:
    """Print on stderr what was odd: notices, maps without a reference, missing maps, references not read."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for case, told in notices.items():
        for notice in told:
            console.print(plain(f"{case}: {notice}"))
    for case in without_reference:
        console.print(plain(f"{case}: no reference, not scored"))
    for case, problem in problems.items():
        console.print(plain(f"{case}: scored as missing: {problem}", "yellow"))
    if problems:
        console.print(plain(f"{len(problems)} cases scored as missing", "yellow"))
    for case, problem in bad_references.items():
        console.print(plain(f"{case}: not scored, its reference cannot be read: {problem}", "red"))
    if bad_references:
        told = f"{len(bad_references)} cases not scored and left out of the means: repair their references"
        console.print(plain(told, "red"))


def print_submission(folder: Path, as_json: bool = False) -> None:
    """Tell a submission; a member whose file cannot be read is told as such.

    as_json: submission.yaml with its defaults, and under `weights` what each file says of itself. Raises
    EnvironmentFault when submission.yaml cannot be read.
    """
    submission = read_submission(folder)
    if as_json:
        content = submission.model_dump(mode="json", by_alias=True)
        content["weights"] = {member.file: _told(folder / member.file) for member in submission.members}
        print(json.dumps(content, indent=1))
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in _lines(submission, folder):
        console.print(plain(line))


def _lines(submission: Submission, folder: Path) -> list[str]:
    starter = " (a STARTER: no submission)" if submission.starter else ""
    rules = ", ".join(rule.rule for rule in submission.postprocess)
    return [
        f"{submission.name}{starter}, licence {submission.licence}",
        f"cite {submission.citation or 'unknown'}",
        f"serves {', '.join(submission.keys)}",
        *(line for stage in submission.stages for line in _stage_lines(stage, folder)),
        "",
        f"postprocess: {rules or 'none'}",
    ]


def _stage_lines(stage: Stage, folder: Path) -> list[str]:
    follows = f", follows {stage.follows.stage} as {stage.follows.as_}" if stage.follows else ""
    lines = [
        "",
        f"stage {stage.name}: {stage.kind} {' '.join(stage.names)}, merged as {stage.merge}{follows}",
    ]
    for branch in stage.branches:
        lines.append("  " + _branch_line(branch))
        lines += [_member_line(member, folder) for member in branch.members]
    return lines


def _member_line(member: Member, folder: Path) -> str:
    told = _told(folder / member.file)
    network = told.get("problem") or f"{told['network']}, {told['parameters']:,} parameters"
    weight = json.dumps(member.weight)
    return f"    {member.file}  {network}  weight {weight}  sha256 {member.sha256[:12]}"


def _told(file: Path) -> dict[str, Any]:
    try:
        return asdict(describe_weights(file))
    except EnvironmentFault as error:
        return {"problem": error.found}


def _branch_line(branch: Branch) -> str:
    window = branch.window
    spacing = (
        "native" if branch.spacing is None else " x ".join(f"{length:g}" for length in branch.spacing) + " mm"
    )
    size = " x ".join(str(length) for length in window.size)
    flips = f", mirrors {' '.join(branch.flips)}" if branch.flips else ""
    return (
        f"{' '.join(branch.channels)} ({branch.axes}, spacing {spacing}), "
        f"windows {size} overlap {window.overlap:g} ({window.plan}, {window.blend}){flips}"
    )


def print_challenges(as_json: bool = False) -> None:
    """Every challenge that is shipped, with its channels, labels and scored regions."""
    challenges = [load_challenge(key) for key in challenge_keys()]
    if as_json:
        print(json.dumps([challenge.model_dump(mode="json") for challenge in challenges], indent=1))
        return
    table = Table("key", "channels", "labels", "scored")
    for challenge in challenges:
        channels = " ".join(channel.name for channel in challenge.channels)
        labels = " ".join(f"{value} {name}" for name, value in challenge.labels.items() if value)
        table.add_row(*map(plain, (challenge.key, channels, labels, " ".join(challenge.scored))))
    Console(highlight=False).print(table)
