"""Scores of cases and of a folder, and their JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from statistics import fmean, median
from typing import Any

Scores = Mapping[str, float]
"""A region's metrics by name."""


@dataclass(frozen=True)
class Lesion:
    """A lesion of the reference, or a false positive of the prediction."""

    region: str
    kind: str
    """matched, missed or false_positive."""
    number: int
    """The component's number in the reference, or in the prediction for a false positive."""
    volume: float
    """In mm3."""
    counted: bool
    """Whether it enters the region's scores; small ones may not."""
    components: int
    """Components of the prediction that are compared with it."""
    scores: Scores = field(default_factory=dict)


@dataclass(frozen=True)
class CaseScores:
    """The scores of a case by region and by lesion, with notices."""

    regions: Mapping[str, Scores]
    lesions: tuple[Lesion, ...] = ()
    notices: tuple[str, ...] = ()
    problem: str | None = None
    """Why the case is scored as if it had no map; None for a sound map."""


@dataclass(frozen=True)
class Evaluation:
    """The scores of a folder."""

    profile: str
    challenge: str
    cases: Mapping[str, CaseScores]
    versions: Mapping[str, str]
    without_reference: tuple[str, ...] = ()
    """Cases with a map and without a reference; they are not scored."""
    bad_references: Mapping[str, str] = field(default_factory=dict)
    """By case, why its reference is unreadable; these cases are in no mean."""

    @property
    def problems(self) -> dict[str, str]:
        """By case, why it is scored as if it had no map."""
        return {name: scores.problem for name, scores in self.cases.items() if scores.problem}

    @cached_property
    def mean(self) -> dict[str, dict[str, float]]:
        """Each region's mean metrics over all cases, those with a problem included.

        Cases without a value (NaN) are left out, as the organisers do; NaN where no case has one.
        """
        return {region: self._over_cases(region, fmean) for region in self._regions}

    @cached_property
    def median(self) -> dict[str, dict[str, float]]:
        """Each region's median metrics, over the cases of the mean."""
        return {region: self._over_cases(region, median) for region in self._regions}

    @property
    def _regions(self) -> tuple[str, ...]:
        return tuple(next(iter(self.cases.values())).regions) if self.cases else ()

    def _over_cases(self, region: str, summary: Callable[[Sequence[float]], float]) -> dict[str, float]:
        rows = [scores.regions[region] for scores in self.cases.values()]
        found = {name: [row[name] for row in rows if not math.isnan(row[name])] for name in rows[0]}
        return {name: summary(values) if values else math.nan for name, values in found.items()}


def as_json(evaluation: Evaluation, lesions: bool = False) -> bytes:
    """Encode the whole evaluation as indented JSON, UTF-8; inf and nan become strings.

    lesions: include a row for each lesion; otherwise `lesions` is empty.
    """
    cases = evaluation.cases
    return encode_json(
        {
            "profile": evaluation.profile,
            "challenge": evaluation.challenge,
            "versions": evaluation.versions,
            "cases": {name: scores.regions for name, scores in cases.items()},
            "lesions": {name: _lesions(scores) for name, scores in cases.items()} if lesions else {},
            "mean": evaluation.mean,
            "median": evaluation.median,
            "problems": evaluation.problems,
            "notices": {name: scores.notices for name, scores in cases.items() if scores.notices},
            "without_reference": evaluation.without_reference,
            "bad_references": evaluation.bad_references,
        }
    )


def encode_json(content: Any) -> bytes:
    """Encode as indented JSON, UTF-8; numbers that are not finite become strings: "inf", "nan"."""
    text = json.dumps(_finite(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode(errors="backslashreplace")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def as_csv(evaluation: Evaluation) -> bytes:
    """Encode a row for each case and region and a column for each metric as CSV, UTF-8."""
    metrics = list(dict.fromkeys(name for row in evaluation.mean.values() for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case", "region", *metrics, "problem"])
    for name, scores in evaluation.cases.items():
        for region, row in scores.regions.items():
            values = [_finite(row.get(metric, "")) for metric in metrics]
            writer.writerow([name, region, *values, scores.problem or ""])
    return text.getvalue().encode()


def _lesions(scores: CaseScores) -> dict[str, list[dict[str, Any]]]:
    """The lesions of each region; their metrics stand beside the other fields."""
    rows: dict[str, list[dict[str, Any]]] = {region: [] for region in scores.regions}
    for lesion in scores.lesions:
        row = asdict(lesion)
        region, values = row.pop("region"), row.pop("scores")
        rows[region].append(row | values)
    return rows
