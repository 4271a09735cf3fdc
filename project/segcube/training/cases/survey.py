"""Check a whole data set: every case in threads, then all cases together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from segcube.core import Code, prefetch
from segcube.training.cases.checks import CheckedCase, check_case
from segcube.training.cases.comparison import CaseSummary, compare_cases
from segcube.training.cases.dataset import LabelledData
from segcube.training.cases.pairing import LabelledCase
from segcube.training.cases.problems import Problem, errors_of

T = TypeVar("T")


@dataclass(frozen=True)
class CheckedData(Generic[T]):
    """All problems of a data set, and what was measured of its cases."""

    data: LabelledData
    cases: tuple[CaseSummary, ...]
    """Sorted by name."""
    problems: tuple[Problem, ...]
    """Of discovery, of each case and of the whole data set, in this order."""
    measures: Mapping[str, T] = field(default_factory=dict)
    """What was measured of each case without an error, by name."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the data set from being trained on."""
        return errors_of(self.problems)

    @property
    def label_voxels(self) -> dict[str, int]:
        """Voxels of each label in all cases."""
        return {
            name: sum(case.label_voxels.get(name, 0) for case in self.cases)
            for name in self.data.challenge.labels
        }


def check_dataset(
    data: LabelledData,
    measure: Callable[[CheckedCase], T] | None = None,
    on_case: Callable[[str], None] | None = None,
) -> CheckedData[T]:
    """Read every file of a data set once and report all problems.

    measure: called in a thread for each case without an error while it is in memory. on_case: called after
    each case with its name. A thread holds one case in memory. Raises what `measure` raises.
    """

    def check(case: LabelledCase) -> tuple[CaseSummary, tuple[Problem, ...], T | None]:
        checked = check_case(case, data.challenge, data.ignore_value)
        measured = measure(checked) if measure is not None and not checked.errors else None
        return _summary(checked), checked.problems, measured

    summaries, problems = list[CaseSummary](), list(data.problems)
    measures: dict[str, T] = {}
    for summary, found, measured in prefetch(check, data.cases):
        summaries.append(summary)
        problems += found
        if measured is not None:
            measures[summary.case.name] = measured
        if on_case is not None:
            on_case(summary.case.name)
    problems += compare_cases(summaries, data)
    return CheckedData(data, tuple(summaries), _without_consequences(problems), measures)


def _without_consequences(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Make too few cases a notice where there are other errors: without these, the cases may suffice."""
    if all(found.code is Code.FEW_CASES for found in errors_of(problems)):
        return tuple(problems)
    return tuple(found.as_notice() if found.code is Code.FEW_CASES else found for found in problems)


def _summary(checked: CheckedCase) -> CaseSummary:
    return CaseSummary(
        checked.case,
        not checked.errors,
        checked.volume.spacing if checked.volume is not None else None,
        checked.label_voxels,
        checked.image_digests,
        checked.label_digest,
    )
