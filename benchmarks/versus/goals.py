"""The goals of the benchmark, and whether they are met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from versus.contestants import CONTESTANTS
from versus.results import RowResult, Run, Spread, spread

DIFFERING = 0.003
"""Fraction of foreground voxels that may differ from nnU-Net's in fp32."""
TOTAL, FIXED_SECONDS, START_SECONDS, BUSY = 1.25, 1.0, 2.5, 0.9
FIRST_STEADY = 2
"""From the third case on."""


class Verdict(NamedTuple):
    """A goal, the measured value, and whether it meets the goal."""

    what: str
    found: str
    goal: str
    met: bool


def check_goals(results: Sequence[RowResult]) -> list[Verdict]:
    """Check all goals that these results have values for."""
    found: list[Verdict] = []
    for result in results:
        found += _ratios(result)
        for key in result.row.contestants:
            name, runs = f"{result.row.name}, {CONTESTANTS[key].title}", result.of(key)
            shares = [run.agreement.differing for run in runs if run.agreement]
            if key in ("fp32", "torch") and shares:
                met = max(shares) <= DIFFERING
                what = f"{name}: labels unlike nnU-Net's"
                found.append(Verdict(what, f"{max(shares):.3%}", f"<= {DIFFERING:.1%}", met))
            if steady := [run for run in runs if run.steps]:
                found += _times(name, result, steady)
            if result.row.folds > 1 and result.row.device == "cpu":
                found += _growth(name, key, result, results)
    return found


def _ratios(result: RowResult) -> Iterator[Verdict]:
    """The row's goals; without bf16 there is none for it, without the rival's run it is not measured."""
    numbers = (("wall_seconds", "faster", "time"), ("peak_bytes", "leaner", "memory"))
    for goal in result.row.goals:
        for number, field, word in numbers:
            least = getattr(goal, field)
            if least is not None and result.of(goal.contestant):
                ratio = result.ratio(goal.contestant, goal.rival, number)
                rival, title = CONTESTANTS[goal.rival].title, CONTESTANTS[goal.contestant].title
                met = ratio is not None and ratio.median >= least
                what = f"{result.row.name}: {word} of {rival} over {title}"
                yield Verdict(what, str(ratio or "not measured"), f">= {least:.2f}", met)


def _times(name: str, result: RowResult, runs: Sequence[Run]) -> Iterator[Verdict]:
    """Start-up and the fixed cost of a case; of many cases, the total, and use of the GPU."""
    if result.row.cases == 1 and result.row.device == "cpu":
        yield _at_most(f"{name}: start-up, s", [run.start_up for run in runs], START_SECONDS)
        outside = [run.outside[0] for run in runs]
        yield _at_most(f"{name}: a case beside its forwards, s", outside, FIXED_SECONDS)
    if result.row.cases > FIRST_STEADY + 1:
        first = FIRST_STEADY
        shares = [(run.finished[-1] - run.finished[first - 1]) / sum(run.forwards[first:]) for run in runs]
        yield _at_most(f"{name}: total over forwards from the third case on", shares, TOTAL)
        if busy := spread([run.busy for run in runs if run.busy is not None]):
            yield Verdict(f"{name}: GPU busy", str(busy), f">= {BUSY}", busy.median >= BUSY)


def _growth(name: str, key: str, many: RowResult, results: Sequence[RowResult]) -> Iterator[Verdict]:
    """Compare the growth of peak memory from one fold to several with the size of their weights."""
    kind = [getattr(many.row, name) for name in ("plan", "device", "cases", "mirrors")]
    for one in results:
        row = one.row
        before, after = one.spread(key, "peak_bytes"), many.spread(key, "peak_bytes")
        if row.folds == 1 and [row.plan, row.device, row.cases, row.mirrors] == kind and before and after:
            weights, growth = many.weight_bytes - one.weight_bytes, after.median - before.median
            goal = f"<= {weights / 1e6:.0f}, the weights"
            what = f"{name}: memory beside 1 fold's, MB"
            yield Verdict(what, f"{growth / 1e6:+.0f}", goal, growth <= weights)


def _at_most(what: str, numbers: list[float], most: float) -> Verdict:
    found = spread(numbers) or Spread(0, 0, 0)
    return Verdict(what, str(found), f"<= {most}", found.median <= most)
