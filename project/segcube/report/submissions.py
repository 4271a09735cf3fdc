"""A submission on stdout: stages, networks, parameters, windows, members, licence and citation."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from segcube.errors import EnvironmentFault
from segcube.report.plain import plain
from segcube.submission import Branch, Member, Stage, Submission, describe_weights, read_submission


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
