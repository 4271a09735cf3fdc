"""What `segcube evaluate` and `segcube info` print: scores, problems, submissions and challenges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table

from segcube.core import LOG, EnvironmentFault, count_of, literal_text
from segcube.networks import describe_weights
from segcube.spec.challenges import Challenge, challenge_keys, load_challenge
from segcube.spec.submission import Branch, Member, Stage, Submission, read_submission

if TYPE_CHECKING:
    from segcube.phantoms import Comparison

Regions = Mapping[str, Mapping[str, float]]
"""Values of metrics by name, for each region."""

SHOWN_METRICS = (
    *("lesionwise_dice", "lesionwise_hd95", "lesionwise_nsd", "lesionwise_nsd_0.5", "lesionwise_nsd_1.0"),
    *("num_tp", "num_fp", "num_fn", "rq", "pq_dice", "sensitivity_small"),
    *("dice", "iou", "hd95", "hd95_mm", "hd95_voxels", "asd"),
)
"""Metrics of the table, in order; the JSON and CSV files have all."""
WORST_CASES = 3
FILE_COLUMNS = 200
"""Width where stdout is a file or a pipe: enough for all regions."""


def print_scores(title: str, mean: Regions, median: Regions, cases: Mapping[str, Regions]) -> None:
    """Print mean and median of each metric (row) and region (column), then the worst cases of each region.

    Cases are compared by the first metric, of which higher is better; cases without a value are left out.
    """
    names = [name for name in SHOWN_METRICS if any(name in row for row in mean.values())]
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=FILE_COLUMNS)
    columns = (Column(literal_text(region)) for region in mean)
    table = Table("mean (median)", *columns, title=literal_text(title))
    for name in names:
        pairs = ((mean[region][name], median[region][name]) for region in mean)
        table.add_row(name, *(f"{_number(name, one)} ({_number(name, other)})" for one, other in pairs))
    console.print(table)
    console.print(f"worst cases by {names[0]}")
    for region in mean:
        values = {case: regions[region][names[0]] for case, regions in cases.items()}
        worst = sorted((case for case in values if not isnan(values[case])), key=lambda case: values[case])
        listed = ", ".join(f"{case} {values[case]:.3f}" for case in worst[:WORST_CASES])
        console.print(literal_text(f"  {region}: {listed or 'none has a value'}"), soft_wrap=True)


def _number(metric: str, value: float) -> str:
    """A metric's value with three decimals; whole counts without."""
    return f"{value:.0f}" if metric.startswith("num_") and float(value).is_integer() else f"{value:.3f}"


def print_comparison(found: Comparison) -> None:
    """Print a row for each quantity of a comparison, and how many agree."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=FILE_COLUMNS)
    counts = (
        f"{count_of(len(found.scans), 'scan')}, {count_of(len(found.phantoms), found.kind.removesuffix('s'))}"
    )
    title = f"{found.challenge}: {counts}, seed {found.seed}"
    scans, phantoms = "scans: median (min to max)", f"{found.kind}: median (5th to 95th percentile)"
    table = Table("group", "quantity", "channel", scans, phantoms, "agreement", title=literal_text(title))
    previous = ""
    rows = found.rows
    for row in rows:
        group, part, channel = row.quantity
        is_first, previous = group != previous, group
        if is_first:
            table.add_section()
        real = _range(row.scans.median, row.scans.min, row.scans.max)
        synthetic = "none"
        if row.phantoms is not None:
            synthetic = _range(row.phantoms.median, row.phantoms.p5, row.phantoms.p95)
        verdict = "within" if row.is_within else "ranges overlap" if row.overlaps else "OUTSIDE"
        cells = (group if is_first else "", part, channel, real, synthetic, verdict)
        table.add_row(*map(literal_text, cells))
    console.print(table)
    within, overlap = sum(row.is_within for row in rows), sum(row.overlaps for row in rows)
    console.print(
        f"of {count_of(len(rows), 'row')}: {within} where the scans' median lies within the {found.kind}' "
        f"5th to 95th percentile, {overlap - within} where only the ranges from min to max overlap, "
        f"{len(rows) - overlap} where not even these do",
        soft_wrap=True,
    )


def _range(median: float, low: float, high: float) -> str:
    """A median and a range, with three digits, and whole numbers without an exponent."""
    median_text, low_text, high_text = (
        f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}" for value in (median, low, high)
    )
    return f"{median_text} ({low_text} to {high_text})"


def log_problems(
    problems: Mapping[str, str],
    notices: Mapping[str, tuple[str, ...]],
    without_reference: tuple[str, ...],
    bad_references: Mapping[str, str],
) -> None:
    """Log the notices, and the cases that were not scored, or scored as missing."""
    for case, messages in notices.items():
        for message in messages:
            LOG.warning(f"{case}: {message}")
    for case in without_reference:
        LOG.warning(f"{case}: no reference, not scored")
    for case, problem in problems.items():
        LOG.warning(f"{case}: scored as missing: {problem}")
    if problems:
        LOG.warning(f"{count_of(len(problems), 'case')} scored as missing")
    for case, problem in bad_references.items():
        LOG.error(f"{case}: not scored, its reference cannot be read: {problem}")
    if bad_references:
        count = count_of(len(bad_references), "case")
        LOG.error(f"{count} not scored and left out of the means: repair the reference")


def print_submission(folder: Path, as_json: bool = False) -> None:
    """Print what a submission consists of; for a weights file that cannot be read, print the problem.

    as_json: print submission.yaml with its defaults, and the metadata of each weights file under `weights`.
    Raises EnvironmentFault when submission.yaml cannot be read.
    """
    submission = read_submission(folder)
    if as_json:
        content = submission.model_dump(mode="json", by_alias=True)
        content["weights"] = {member.file: _weights(folder / member.file) for member in submission.members}
        print(json.dumps(content, indent=1))
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in _submission_lines(submission, folder):
        console.print(literal_text(line))


def _submission_lines(submission: Submission, folder: Path) -> list[str]:
    starter = " (a starter: for trying out, not for submitting)" if submission.starter else ""
    rules = ", ".join(rule.rule for rule in submission.postprocess)
    return [
        f"{submission.name}{starter}, licence {submission.licence}",
        f"cite {submission.citation or 'unknown'}",
        f"serves {', '.join(submission.challenge_keys)}",
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
        lines.append(_branch_line(branch))
        lines += [_member_line(member, folder) for member in branch.members]
    return lines


def _branch_line(branch: Branch) -> str:
    window = branch.window
    spacing = "native"
    if branch.spacing is not None:
        edges = ["native" if length is None else f"{length:g}" for length in branch.spacing]
        spacing = " x ".join(edges) + " mm"
    size = " x ".join(str(length) for length in window.size)
    mirrors = f", mirrors {' '.join(branch.flips)}" if branch.flips else ""
    return (
        f"  {' '.join(branch.channels)} ({branch.axes}, spacing {spacing}), "
        f"windows {size} overlap {window.overlap:g} ({window.plan}, {window.blend}){mirrors}"
    )


def _member_line(member: Member, folder: Path) -> str:
    weights = _weights(folder / member.file)
    network = weights.get("problem") or f"{weights['network']}, {weights['parameters']:,} parameters"
    weight = json.dumps(member.weight)
    return f"    {member.file}  {network}  weight {weight}  sha256 {member.sha256[:12]}"


def _weights(file: Path) -> dict[str, Any]:
    """The metadata of a weights file, or under `problem` why it cannot be read."""
    try:
        return asdict(describe_weights(file))
    except EnvironmentFault as error:
        return {"problem": error.found}


def print_challenges(as_json: bool = False) -> None:
    """Print the key, channels, labels and scored regions of every challenge."""
    challenges = [load_challenge(key) for key in challenge_keys()]
    if as_json:
        print(json.dumps([challenge.model_dump(mode="json") for challenge in challenges], indent=1))
        return
    table = Table("key", "channels", "labels", "scored")
    for challenge in challenges:
        channels = " ".join(channel.name for channel in challenge.channels)
        labels = " ".join(f"{value} {name}" for name, value in challenge.labels.items() if value)
        table.add_row(*map(literal_text, (challenge.key, channels, labels, " ".join(challenge.scored))))
    Console(highlight=False).print(table)


def print_challenge(challenge: Challenge, as_json: bool = False) -> None:
    """Print the names of files, labels, regions, geometry and metrics of a challenge."""
    if as_json:
        print(challenge.model_dump_json(indent=1))
        return
    ending = challenge.endings[0]
    files = (f"{channel.name} CASE{'|'.join(channel.suffixes)}{ending}" for channel in challenge.channels)
    grids = (
        f"{' x '.join(map(str, grid.shape))} voxels of {' x '.join(f'{mm:g}' for mm in grid.spacing)} mm"
        for grid in challenge.geometry.grids
    )
    lines = (
        f"{challenge.key}: {challenge.title}",
        f"case      {challenge.case}",
        *(f"channel   {file}" for file in files),
        f"labels    {', '.join(f'{value} {name}' for name, value in challenge.labels.items())}",
        *(f"region    {name}: {' + '.join(parts)}" for name, parts in challenge.regions.items()),
        f"scored    {', '.join(challenge.scored)}; profile {challenge.metrics.profile}",
        *(f"geometry  {grid}" for grid in grids),
        f"output    {challenge.output}",
    )
    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(literal_text(line))
