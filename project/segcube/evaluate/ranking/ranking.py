"""A ranking of submissions, from their score files to its JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segcube.evaluate.metrics import Direction, counted_metrics
from segcube.evaluate.ranking.pairs import PERMUTATIONS, Pair, compare
from segcube.evaluate.ranking.ranks import Ranks, ScoreTable, rank, tabulate
from segcube.evaluate.ranking.scores import differing_versions, read_scores


@dataclass(frozen=True)
class Ranking:
    """Submissions ranked, and each pair of them compared."""

    profile: str
    challenge: str
    directions: Mapping[str, Direction]
    table: ScoreTable
    ranks: Ranks
    pairs: Sequence[Pair]
    seed: int
    differing: tuple[str, ...]
    """Libraries whose versions differ between the files."""

    @property
    def order(self) -> list[int]:
        """Indices of the submissions, the best first."""
        return [int(index) for index in np.argsort(self.ranks.places, kind="stable")]

    def mean(self, submission: int, metric: str) -> float:
        """Mean of a metric over the cases and regions where it is finite; nan if it is nowhere."""
        chosen = [index for index, (_, name) in enumerate(self.table.columns) if name == metric]
        values = self.table.values[submission][:, chosen]
        finite = values[np.isfinite(values)]
        return float(finite.mean()) if finite.size else math.nan

    def as_json(self) -> bytes:
        """The ranking as indented JSON, UTF-8; numbers that are not finite stand as strings."""
        return (json.dumps(_plain(self._content()), indent=1, ensure_ascii=False) + "\n").encode(
            errors="backslashreplace"
        )

    def _content(self) -> dict[str, Any]:
        return {
            "profile": self.profile,
            "challenge": self.challenge,
            "metrics": {
                name: "higher is better" if direction.higher_is_better else "lower is better"
                for name, direction in self.directions.items()
            },
            "permutations": PERMUTATIONS,
            "seed": self.seed,
            "submissions": {self.table.submissions[index]: self._submission(index) for index in self.order},
            "pairs": [
                {
                    "better": pair.better,
                    "worse": pair.worse,
                    "rank_gain": pair.rank_gain,
                    "p_value": pair.p_value,
                    "wins": pair.wins,
                    "losses": pair.losses,
                    "gains": pair.gains,
                    "cases": pair.cases,
                }
                for pair in self.pairs
            ],
        }

    def _submission(self, index: int) -> dict[str, Any]:
        return {
            "place": int(self.ranks.places[index]),
            "rank": float(self.ranks.final[index]),
            "mean": {metric: self.mean(index, metric) for metric in self.directions},
            "cases": dict(zip(self.table.cases, self.ranks.by_case[index].tolist(), strict=True)),
        }


def rank_files(files: Sequence[Path], metrics: Sequence[str] = (), seed: int = 0) -> Ranking:
    """Rank the submissions of score files by the profile's metrics, or by those asked for.

    seed: of the random permutations. Raises UsageError for files that cannot be read or do not compare, and
    for metrics that are not known or absent.
    """
    scores = read_scores(files)
    first = next(iter(scores.values()))
    directions = counted_metrics(first.profile, metrics)
    table = tabulate(scores, directions)
    ranks = rank(table, directions)
    pairs = compare(table, ranks, seed)
    differing = differing_versions(scores)
    return Ranking(first.profile, first.challenge, directions, table, ranks, pairs, seed, differing)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
