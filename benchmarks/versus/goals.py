"""What must hold, and whether it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from versus.contestants import CONTESTANTS
from versus.mednext import Forwards
from versus.results import RowResult, Spread, spread
from versus.specs import Goal

GATE = 0.003
"""Of the foreground voxels, what may differ from nnU-Net's in fp32."""
GATED = ("fp32", "torch")
TOTAL, FIXED_SECONDS, START_SECONDS = 1.25, 1.0, 2.5
MEDNEXT = 5.0
BUSY = 0.9
FIRST_STEADY = 2
"""From the third case on."""


@dataclass(frozen=True)
class Verdict:
    """A goal, what was found, and whether that meets it."""

    what: str
    found: str
    goal: str
    met: bool


def verdicts(results: Sequence[RowResult], forwards: Sequence[Forwards]) -> list[Verdict]:
    """All goals that these results can tell of."""
    found: list[Verdict] = []
    for result in results:
        found += [v for goal in result.row.goals for v in _against(result, goal)]
        found += _labels(result)
    for result in results:
        found += _alone(result, results)
    return found + [_mednext(pair) for pair in forwards]


def _against(result: RowResult, goal: Goal) -> list[Verdict]:
    found = []
    who, rival = CONTESTANTS[goal.contestant].title, CONTESTANTS[goal.rival].title
    for number, wanted, word in (
        ("wall_seconds", goal.faster, "time"),
        ("peak_bytes", goal.leaner, "memory"),
    ):
        ratio = result.ratio(goal.contestant, goal.rival, number)
        # A chip without bf16 is asked for nothing; a rival that took no part leaves its goal open
        if wanted is not None and result.of(goal.contestant):
            what = f"{result.row.name}: {word} of {rival} over {who}"
            seen = "not measured" if ratio is None else told(ratio)
            met = ratio is not None and ratio.median >= wanted
            found.append(Verdict(what, seen, f">= {wanted:.2f}", met))
    return found


def _labels(result: RowResult) -> list[Verdict]:
    found = []
    for contestant in GATED:
        shares = [run.agreement.differing for run in result.of(contestant) if run.agreement]
        if shares:
            what = f"{result.row.name}: labels of {CONTESTANTS[contestant].title} unlike nnU-Net's"
            found.append(Verdict(what, f"{max(shares):.3%}", f"<= {GATE:.1%}", max(shares) <= GATE))
    return found


def _alone(result: RowResult, results: Sequence[RowResult]) -> list[Verdict]:
    """segcube's own: start-up and fixed cost of a case, many cases, many folds, a busy GPU."""
    found = []
    for contestant in result.row.contestants:
        runs = [run for run in result.of(contestant) if run.steps]
        if not runs:
            continue
        name = f"{result.row.name}, {CONTESTANTS[contestant].title}"
        if result.row.cases == 1 and result.row.device == "cpu":
            found += _single(
                name, spread([run.start_up for run in runs]), spread([run.beside[0] for run in runs])
            )
        if result.row.cases > FIRST_STEADY + 1:
            share = [
                (run.finished[-1] - run.finished[FIRST_STEADY - 1]) / sum(run.forwards[FIRST_STEADY:])
                for run in runs
            ]
            found.append(
                _at_most(f"{name}: total over forwards from the third case on", spread(share), TOTAL)
            )
        busy = spread([run.busy for run in runs if run.busy is not None])
        if busy is not None and result.row.cases > FIRST_STEADY + 1:
            found.append(Verdict(f"{name}: GPU busy", told(busy), f">= {BUSY}", busy.median >= BUSY))
        found += _folds(name, contestant, result, results)
    return found


def _single(name: str, start: Spread | None, beside: Spread | None) -> list[Verdict]:
    return [
        _at_most(f"{name}: start-up, s", start, START_SECONDS),
        _at_most(f"{name}: a case beside its forwards, s", beside, FIXED_SECONDS),
    ]


def _folds(name: str, contestant: str, many: RowResult, results: Sequence[RowResult]) -> list[Verdict]:
    """Growth of the peak from one fold to several against their weights."""
    alike = [
        (row.plan, row.device, row.cases, row.mirrors, 1) == (
            many.row.plan, many.row.device, many.row.cases, many.row.mirrors, row.folds
        )
        for row in (result.row for result in results)
    ]  # fmt: skip
    one = next((result for result, same in zip(results, alike, strict=True) if same), None)
    if one is None or many.row.folds == 1 or many.row.device == "cuda":
        return []
    before, after = one.spread(contestant, "peak_bytes"), many.spread(contestant, "peak_bytes")
    if before is None or after is None:
        return []
    weights = many.imported.weight_bytes - one.imported.weight_bytes
    growth = after.median - before.median
    what = f"{name}: memory beside 1 fold's, MB"
    return [Verdict(what, f"{growth / 1e6:+.0f}", f"<= {weights / 1e6:.0f}, the weights", growth <= weights)]


def _mednext(pair: Forwards) -> Verdict:
    found = f"{pair.ratio:.2f} ({pair.plain:.2f} s, {pair.ours:.2f} s; {pair.differing:.3%} of labels apart)"
    what = "MedNeXt's forward: plain torch over segcube"
    return Verdict(what, found, f">= {MEDNEXT:.2f}", pair.ratio >= MEDNEXT)


def _at_most(what: str, found: Spread | None, most: float) -> Verdict:
    assert found is not None, "called with runs alone"
    return Verdict(what, told(found), f"<= {most}", found.median <= most)


def told(spread: Spread) -> str:
    """A median, and the range where there is one."""
    if spread.least == spread.most:
        return f"{spread.median:.2f}"
    return f"{spread.median:.2f} ({spread.least:.2f} to {spread.most:.2f})"
