"""Write a starter of the submission that `segcube collect` made: COLLECTED OUT [--rules FILE].

Branches that differ in their members alone become one, whose logits are averaged; the weights are stored in
half precision. Component rules are those of `segcube tune`, without its thresholds: those of phantoms do not
hold for patients.
"""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from segcube.core import UsageError, read_yaml
from segcube.networks import load_weights, read_metadata, save_weights
from segcube.spec.submission import Member, Stage, Submission, load_for_challenge, write_submission

STAGES = {"brats2023-gli": ("tumour",), "mbas2024": ("heart", "atria")}
SERVES = {
    # Those whose labels are given by WT, TC and ET
    "brats2023-gli": (
        "brats2021-gli",
        "brats2023-ssa",
        "brats2023-men",
        "brats2023-met",
        "brats2023-ped",
        "brats2024-ssa",
        "brats2024-goat",
        "brats2025-ssa",
        "brats2025-men",
        "brats2025-goat",
        "brats2026-goat",
    ),
    "mbas2024": (),
}
RULES: dict[str, list[dict[str, Any]]] = {
    "brats2023-gli": [{"rule": "nest", "order": ["ET", "TC", "WT"]}],
    "mbas2024": [{"rule": "largest_component", "labels": ["RA", "LA"]}],
}


def main() -> None:
    """Write the submission; a model card in OUT stays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collected", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rules", type=Path, help="file of `segcube tune`")
    given = parser.parse_args()
    submission = load_for_challenge(given.collected).submission
    given.out.mkdir(parents=True, exist_ok=True)
    for old in (*given.out.glob("*.safetensors"), *given.out.glob("*.openvino")):
        old.unlink()
    names = STAGES[submission.challenge]
    stages = [
        _stage(stage, name, given.collected, given.out)
        for stage, name in zip(submission.stages, names, strict=True)
    ]
    for previous, stage in itertools.pairwise(stages):
        stage["follows"]["stage"] = previous["name"]
    content = submission.model_dump(mode="json", by_alias=True) | {
        "name": given.out.name,
        "serves": SERVES[submission.challenge],
        "starter": True,
        "stages": stages,
        "postprocess": [*_component_rules(given.rules), *RULES[submission.challenge]],
    }
    write_submission(Submission.model_validate(content), given.out)


def _stage(stage: Stage, name: str, collected: Path, out: Path) -> dict[str, Any]:
    """The stage with its weights in `out`, which are named after it."""
    first, *others = [branch.model_copy(update={"members": ()}) for branch in stage.branches]
    if any(branch != first for branch in others):
        raise SystemExit(f"{collected}: branches that differ in more than their members")
    members = [member for branch in stage.branches for member in branch.members]
    # Linear: as good at 2 mm, and faster than cubic
    resampling = first.resampling.model_copy(update={"image": 1})
    branch = first.model_copy(
        update={"members": _stored(members, name, collected, out), "resampling": resampling}
    )
    content = stage.model_copy(update={"name": name, "branches": (branch,)})
    return content.model_dump(mode="json", by_alias=True)


def _stored(members: Sequence[Member], name: str, collected: Path, out: Path) -> tuple[Member, ...]:
    """The members with their weights in half precision in `out`."""
    stored: list[Member] = []
    for number, member in enumerate(members):
        source = collected / member.file
        file = f"{name}_{number}.safetensors" if len(members) > 1 else f"{name}.safetensors"
        half = {key: tensor.to(torch.float16) for key, tensor in load_weights(source, member.sha256).items()}
        card = read_metadata(source)
        digest = save_weights(half, card.network, card.arguments, out / file, card.notes)
        stored.append(member.model_copy(update={"file": file, "sha256": digest}))
    return tuple(stored)


def _component_rules(file: Path | None) -> list[dict[str, Any]]:
    if file is None:
        return []
    rules = read_yaml(file, UsageError)["postprocess"]
    return [rule for rule in rules if rule["rule"] == "keep_components"]


if __name__ == "__main__":
    main()
