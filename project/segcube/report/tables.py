"""Scores, submissions and challenges as tables on stdout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from segcube.challenges import challenge_keys, load_challenge
from segcube.submission import Branch, Submission, read_submission


def print_scores(cases: Mapping[str, Mapping[str, float]], problems: Mapping[str, str]) -> None:
    """A row a case, a column a region, the means last; problems below."""
    regions = list(next(iter(cases.values())))
    table = Table("case", *regions, title="Dice")
    for name, scores in cases.items():
        table.add_row(name, *(f"{scores[region]:.3f}" for region in regions))
    means = [sum(scores[region] for scores in cases.values()) / len(cases) for region in regions]
    table.add_section()
    table.add_row("mean", *(f"{mean:.3f}" for mean in means))
    console = Console(highlight=False)
    console.print(table)
    for name, problem in problems.items():
        console.print(f"{name}: {problem}", markup=False)


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
        table.add_row(challenge.key, channels, labels, " ".join(challenge.scored))
    Console(highlight=False).print(table)


def print_submission(folder: Path, as_json: bool = False) -> None:
    """A submission's stages, windows and members. Raises EnvironmentFault when it cannot be read."""
    submission = read_submission(folder)
    if as_json:
        print(submission.model_dump_json(indent=1, by_alias=True))
        return
    console = Console(highlight=False)
    starter = " (a STARTER: no submission)" if submission.starter else ""
    console.print(f"{submission.name}{starter}, licence {submission.licence}", markup=False)
    console.print(f"serves {', '.join(submission.keys)}", markup=False)
    for stage in submission.stages:
        follows = f", follows {stage.follows.stage} as {stage.follows.as_}" if stage.follows else ""
        console.print(
            f"\nstage {stage.name}: {stage.kind} {' '.join(stage.names)}, merged as {stage.merge}{follows}"
        )
        for branch in stage.branches:
            console.print("  " + _branch_line(branch), markup=False)
            for member in branch.members:
                weight = json.dumps(member.weight)
                console.print(
                    f"    {member.file}  weight {weight}  sha256 {member.sha256[:12]}", markup=False
                )
    console.print("\npostprocess: " + (_rules_line(submission) or "none"), markup=False)


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


def _rules_line(submission: Submission) -> str:
    return ", ".join(rule.rule for rule in submission.postprocess)
