"""Dice of each scored region over a folder of label maps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from segcube.challenges import Challenge
from segcube.errors import CaseError, UsageError
from segcube.evaluate.dice import dice
from segcube.volumes import read_labels


@dataclass(frozen=True)
class Scores:
    """Dice a case and region; what was wrong with a case stands beside."""

    cases: Mapping[str, Mapping[str, float]]
    problems: Mapping[str, str]

    def mean(self, region: str) -> float:
        """Mean over all cases, those with a problem included."""
        return fmean(scores[region] for scores in self.cases.values())


def evaluate_folder(found: Path, reference: Path, challenge: Challenge) -> Scores:
    """Score the maps of `found` against those of `reference`, paired by case name.

    A case that is missing or unreadable, or lies on another grid, scores 0 everywhere. Raises UsageError when
    the reference holds no map of the challenge.
    """
    references = _maps(reference, challenge)
    if not references:
        raise UsageError("no label map", file=reference, expected=f"files named like {challenge.case}")
    maps = _maps(found, challenge)
    cases: dict[str, dict[str, float]] = {}
    problems: dict[str, str] = {}
    for name, file in references.items():
        try:
            cases[name] = _score(maps.get(name), file, challenge)
        except CaseError as error:
            cases[name] = dict.fromkeys(challenge.scored, 0.0)
            problems[name] = str(error)
    problems |= dict.fromkeys(sorted(maps.keys() - references.keys()), "no reference")
    problems |= dict.fromkeys(sorted(references.keys() - maps.keys()), "no label map")
    return Scores(cases, problems)


def _maps(folder: Path, challenge: Challenge) -> dict[str, Path]:
    pattern = re.compile(rf"(?P<case>{challenge.case})(?!\d).*\.nii(\.gz)?")
    matches = [(pattern.fullmatch(file.name), file) for file in sorted(folder.iterdir())]
    return {match["case"]: file for match, file in matches if match}


def _score(found: Path | None, reference: Path, challenge: Challenge) -> dict[str, float]:
    if found is None:
        return dict.fromkeys(challenge.scored, 0.0)
    found_xyz, _, _ = read_labels(found)
    reference_xyz, _, _ = read_labels(reference)
    if found_xyz.shape != reference_xyz.shape:
        return dict.fromkeys(challenge.scored, 0.0)
    values = {
        name: [challenge.labels[label] for label in challenge.regions[name]] for name in challenge.scored
    }
    return {name: dice(np.isin(found_xyz, v), np.isin(reference_xyz, v)) for name, v in values.items()}
