"""The entry by which the BraTS orchestrator knows an algorithm."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from segcube.spec.challenges import Challenge

UNKNOWN = "N/A"


@dataclass(frozen=True)
class Paper:
    """What the orchestrator tells of an algorithm's origin."""

    authors: str = UNKNOWN
    paper: str = UNKNOWN
    """A URL."""
    manuscript: str = UNKNOWN
    """The challenge's own paper, a URL."""
    rank: str = UNKNOWN
    zenodo: str | None = None
    """Record of the additional files; None when the submission is inside the image."""


def orchestrator_entry(image: str, challenge: Challenge, paper: Paper) -> dict[str, Any]:
    """One algorithm of the orchestrator's `algorithms:` mapping.

    The year of the challenge's key decides how it starts the image: with arguments up to 2024, without later.
    """
    year = re.search(r"\d{4}", challenge.key)
    separator = challenge.channels[0].suffixes[0][0]
    meta = {
        "authors": paper.authors,
        "paper": paper.paper,
        "challenge": challenge.title,
        "challenge_manuscript": paper.manuscript,
        "rank": paper.rank,
        "year": int(year.group()) if year else 2025,
    }
    run_args = {
        "docker_image": image,
        "input_name_schema": challenge.made_case.replace("{number:", "{id:"),
        "requires_root": False,
        "cpu_compatible": True,
        "subject_modality_separator": separator,
    }
    files = {"record_id": paper.zenodo, "param_name": ["weights"]} if paper.zenodo else None
    return {"meta": meta, "run_args": run_args, "additional_files": files}
