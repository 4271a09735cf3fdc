"""The validation cases of a greedy soup: predicted as in a run, scored as by `segcube evaluate`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from segcube.core import Case, CaseError, UsageError, resolve_settings
from segcube.evaluation import Direction, direction_of, evaluate_folder, find_maps
from segcube.formats import discover_cases
from segcube.formats.nifti import SESSION_MARK, inputs_digest
from segcube.inference import load_models, predict_case
from segcube.inference.folder import write_with_origin
from segcube.spec.challenges import Challenge
from segcube.spec.submission import sha256_of


@dataclass(frozen=True)
class Validation:
    """Cases with labels, and the settings to predict and score them."""

    data: Path
    labels: Path
    challenge: Challenge
    profile: str = "plain"
    metric: str = "dice"
    settings: Mapping[str, Any] = field(default_factory=dict)
    """As in parameters.yaml."""
    log: Callable[[str], None] = print

    def __post_init__(self) -> None:
        direction_of(self.metric)

    @property
    def direction(self) -> Direction:
        """The better direction of the metric."""
        return direction_of(self.metric)

    def cases(self) -> tuple[Case, ...]:
        """The cases that have labels.

        Raises UsageError if there is none, or for a label map without its case.
        """
        found = {case.name: case for case in discover_cases(self.data, self.challenge).cases}
        labelled = find_maps(self.labels, self.challenge)
        missing = sorted(labelled.keys() - found.keys())
        expected = "a case for each label map, and at least one"
        if not labelled:
            raise UsageError(f"has no label map of {self.challenge.key}", file=self.labels, expected=expected)
        if missing:
            problem = f"has no case for {len(missing)} label maps, {missing[0]} first"
            raise UsageError(problem, file=self.data, expected=expected)
        return tuple(found[name] for name in sorted(labelled))

    def digests(self) -> dict[str, str]:
        """A digest of each case's images and label map."""
        labelled = find_maps(self.labels, self.challenge)
        return {case.name: f"{inputs_digest(case)} {sha256_of(labelled[case.name])}" for case in self.cases()}

    def score(self, weights: Path) -> float:
        """The mean of the metric over scored regions and cases; a failed prediction scores as a missing map.

        weights: folder of a submission. NaN if the metric has no value for a failed prediction, or none at
        all. Raises EnvironmentFault as `load_models` does, UsageError for a metric that the profile lacks
        and for an unreadable label map.
        """
        models = load_models(weights, resolve_settings(dict(self.settings)))
        with TemporaryDirectory(prefix="segcube-soup-") as folder:
            for case in self.cases():
                try:
                    file = Path(folder) / self.challenge.output_name(case.name)
                    write_with_origin(predict_case(case, models), file, SESSION_MARK)
                except CaseError as error:
                    self.log(f"{case.name}: {error}")
            scored = evaluate_folder(Path(folder), self.labels, self.challenge, self.profile)
        if scored.bad_references:
            raise UsageError(next(iter(scored.bad_references.values())), hint="repair the label map")
        means = scored.mean
        first = next(iter(means.values()))
        if self.metric not in first:
            raise UsageError(f"no metric {self.metric!r}", expected="one of " + ", ".join(first))
        failed = [row for case in scored.problems for row in scored.cases[case].regions.values()]
        if any(math.isnan(row[self.metric]) for row in failed):
            return math.nan
        return fmean(scores[self.metric] for scores in means.values())
