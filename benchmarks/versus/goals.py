"""The goals of the benchmark, and whether they are met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from versus.contestants import CONTESTANTS
from versus.results import Forwards, RowResult, Spread, spread
from versus.rows import Goal

DIFFERING = 0.003
"""Fraction of foreground voxels that may differ from nnU-Net's in fp32."""
FP32 = ("fp32", "torch")
TOTAL, FIXED_SECONDS, START_SECONDS = 1.25, 1.0, 2.5
MEDNEXT = 5.0
BUSY = 0.9
FIRST_STEADY = 2
"""From the third case on."""


@dataclass(frozen=True)
class Verdict:
    """A goal, the measured value, and whether it meets the goal."""

    what: str
    found: str
    goal: str
    met: bool


def check_goals(results: Sequence[RowResult], forwards: Sequence[Forwards]) -> list[Verdict]:
    """Check all goals that these results have values for."""
    found: list[Verdict] = []
    for result in results:
        for goal in result.row.goals:
            found += _against_rival(result, goal)
        for key in FP32:
            shares = [run.agreement.differing for run in result.of(key) if run.agreement]
            if shares:
                what = f"{result.row.name}: labels of {CONTESTANTS[key].title} unlike nnU-Net's"
                met = max(shares) <= DIFFERING
                found.append(Verdict(what, f"{max(shares):.3%}", f"<= {DIFFERING:.1%}", met))
    for result in results:
        for key in result.row.contestants:
            found += _without_rival(key, result, results)
    for pair in forwards:
        times = f"{pair.plain:.2f} s, {pair.segcube:.2f} s; {pair.differing:.3%} of labels apart"
        what = "MedNeXt's forward: plain torch over segcube"
        met = pair.ratio >= MEDNEXT
        found.append(Verdict(what, f"{pair.ratio:.2f} ({times})", f">= {MEDNEXT:.2f}", met))
    return found


def _against_rival(result: RowResult, goal: Goal) -> list[Verdict]:
    found = []
    title, rival = CONTESTANTS[goal.contestant].title, CONTESTANTS[goal.rival].title
    for number, least, word in (
        ("wall_seconds", goal.faster, "time"),
        ("peak_bytes", goal.leaner, "memory"),
    ):
        # Without bf16 there is no goal for it; without the rival's run a goal is not measured
        if least is not None and result.of(goal.contestant):
            ratio = result.ratio(goal.contestant, goal.rival, number)
            text = "not measured" if ratio is None else spread_text(ratio)
            met = ratio is not None and ratio.median >= least
            what = f"{result.row.name}: {word} of {rival} over {title}"
            found.append(Verdict(what, text, f">= {least:.2f}", met))
    return found


def _without_rival(key: str, result: RowResult, results: Sequence[RowResult]) -> list[Verdict]:
    """Start-up, fixed cost of a case, many cases, use of the GPU, and many folds."""
    row, runs = result.row, [run for run in result.of(key) if run.steps]
    if not runs:
        return []
    name = f"{row.name}, {CONTESTANTS[key].title}"
    found = []
    if row.cases == 1 and row.device == "cpu":
        found.append(_at_most(f"{name}: start-up, s", [run.start_up for run in runs], START_SECONDS))
        outside = [run.outside[0] for run in runs]
        found.append(_at_most(f"{name}: a case beside its forwards, s", outside, FIXED_SECONDS))
    if row.cases > FIRST_STEADY + 1:
        shares = [
            (run.finished[-1] - run.finished[FIRST_STEADY - 1]) / sum(run.forwards[FIRST_STEADY:])
            for run in runs
        ]
        found.append(_at_most(f"{name}: total over forwards from the third case on", shares, TOTAL))
        gpu = spread([run.busy for run in runs if run.busy is not None])
        if gpu is not None:
            met = gpu.median >= BUSY
            found.append(Verdict(f"{name}: GPU busy", spread_text(gpu), f">= {BUSY}", met))
    if row.folds > 1 and row.device == "cpu":
        found += _growth(name, key, result, results)
    return found


def _growth(name: str, key: str, many: RowResult, results: Sequence[RowResult]) -> list[Verdict]:
    """Compare the growth of peak memory from one fold to several with the size of their weights."""
    kind = ("plan", "device", "cases", "mirrors")
    one = next(
        (
            result
            for result in results
            if result.row.folds == 1 and all(getattr(result.row, k) == getattr(many.row, k) for k in kind)
        ),
        None,
    )
    before, after = one and one.spread(key, "peak_bytes"), many.spread(key, "peak_bytes")
    if one is None or before is None or after is None:
        return []
    weights = many.imported.weight_bytes - one.imported.weight_bytes
    growth = after.median - before.median
    what = f"{name}: memory beside 1 fold's, MB"
    return [Verdict(what, f"{growth / 1e6:+.0f}", f"<= {weights / 1e6:.0f}, the weights", growth <= weights)]


def _at_most(what: str, numbers: list[float], most: float) -> Verdict:
    found = spread(numbers)
    assert found is not None, "only called with runs"
    return Verdict(what, spread_text(found), f"<= {most}", found.median <= most)


def spread_text(spread: Spread) -> str:
    """A median, and the range of several values."""
    if spread.least == spread.most:
        return f"{spread.median:.2f}"
    return f"{spread.median:.2f} ({spread.least:.2f} to {spread.most:.2f})"
