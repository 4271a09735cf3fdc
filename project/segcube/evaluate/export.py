"""An evaluation as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from segcube.evaluate.results import CaseScores, Evaluation


def as_json(evaluation: Evaluation, lesions: bool = False) -> bytes:
    """The whole evaluation, indented, UTF-8; inf and nan stand as strings.

    lesions: whether the rows of single lesions are wanted; without them, `lesions` is empty.
    """
    content = {
        "profile": evaluation.profile,
        "challenge": evaluation.challenge,
        "versions": evaluation.versions,
        "cases": {name: _regions(scores.regions) for name, scores in evaluation.cases.items()},
        "lesions": {name: _lesions(scores) for name, scores in evaluation.cases.items()} if lesions else {},
        "mean": _regions(evaluation.mean),
        "median": _regions(evaluation.median),
        "problems": evaluation.problems,
        "notices": {name: scores.notices for name, scores in evaluation.cases.items() if scores.notices},
        "without_reference": evaluation.without_reference,
        "bad_references": evaluation.bad_references,
    }
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def as_csv(evaluation: Evaluation) -> bytes:
    """A row a case and region, a column a metric, UTF-8."""
    metrics = list(dict.fromkeys(name for row in evaluation.mean.values() for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case", "region", *metrics, "problem"])
    for name, scores in evaluation.cases.items():
        for region, row in scores.regions.items():
            values = [_plain(row[metric]) if metric in row else "" for metric in metrics]
            writer.writerow([name, region, *values, scores.problem or ""])
    return text.getvalue().encode()


def _regions(regions: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float | str]]:
    return {region: _values(row) for region, row in regions.items()}


def _lesions(scores: CaseScores) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {region: [] for region in scores.regions}
    for lesion in scores.lesions:
        row = asdict(lesion)
        region, values = row.pop("region"), row.pop("scores")
        rows[region].append(row | _values(values))
    return rows


def _values(row: Mapping[str, float]) -> dict[str, float | str]:
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: float) -> float | str:
    """JSON has no word for what is not finite."""
    return value if math.isfinite(value) else str(float(value))
