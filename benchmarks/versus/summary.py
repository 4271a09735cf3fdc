"""The results as lines of text, for the console and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, median

from versus.contestants import CONTESTANTS
from versus.goals import told
from versus.machine import Machine
from versus.results import FORWARD, RowResult, Run, Spread
from versus.specs import Row

HEAD = (
    "contestant",
    "wall s",
    "processor s",
    "peak GB",
    "labels apart",
    "Dice",
    "as fast as nnU-Net",
    "as lean",
)
STEPS_HEAD = (
    "run",
    "start and end",
    "read",
    "prepare",
    "forwards",
    "rest of sliding",
    "labels",
    "write",
    "all",
)

RATES_HEAD = ("run", "multiply-adds, 1e12", "1e9 a second", "of a matrix product's")


def title(result: RowResult) -> str:
    """A row in words."""
    row, shape = result.row, "x".join(map(str, result.shapes[0]))
    return (
        f"{row.name}: {row.plan.name}, {row.folds} fold{'s' * (row.folds > 1)}, "
        f"{8 if row.mirrors else 1} view{'s' * row.mirrors}, {row.cases} case{'s' * (row.cases > 1)}, "
        f"{result.windows} windows of {'x'.join(map(str, row.plan.patch))} on {shape} (z, y, x)"
    )


def lines(result: RowResult) -> list[tuple[str, ...]]:
    """A line a contestant, to go under HEAD; medians, and the range of several rounds."""
    return [_line(result, key) for key in dict.fromkeys(run.contestant for run in result.runs)]


def _line(result: RowResult, key: str) -> tuple[str, ...]:
    name = CONTESTANTS[key].title
    runs = result.of(key)
    if not runs:
        return (name, "failed", *("",) * (len(HEAD) - 2))
    agreement = runs[0].agreement
    return (
        name,
        told(_spread(result, key, "wall_seconds")),
        f"{median(run.cpu_seconds for run in runs):.1f}",
        f"{median(run.peak_bytes for run in runs) / 1e9:.2f}",
        f"{agreement.differing:.3%}" if agreement else "",
        f"{agreement.dice:.4f}" if agreement else "",
        *(
            "" if key == "nnunet" else _times(result, key, number)
            for number in ("wall_seconds", "peak_bytes")
        ),
    )


def _spread(result: RowResult, key: str, number: str) -> Spread:
    found = result.spread(key, number)
    assert found is not None, "called for what has run"
    return found


def _times(result: RowResult, key: str, number: str) -> str:
    ratio = result.ratio(key, "nnunet", number)
    return told(ratio) if ratio else ""


def step_lines(results: Sequence[RowResult]) -> list[tuple[str, ...]]:
    """Where segcube's time goes, mean seconds of a case, to go under STEPS_HEAD."""
    found = []
    for result in results:
        for key in result.row.contestants:
            runs = [run for run in result.of(key) if run.steps]
            if runs:
                name = f"{result.row.name}, {CONTESTANTS[key].title}"
                start = f"{runs[-1].start_up:.2f}" if result.row.cases == 1 else ""
                found.append((name, start, *(f"{seconds:.2f}" for seconds in _steps(runs[-1]))))
    return found


def left_out(results: Sequence[RowResult], matrix: Sequence[Row]) -> list[str]:
    """What the matrix holds for the devices of these results and they do not: rows, contestants, rounds."""
    found = {result.row.name: result for result in results}
    devices = {result.row.device for result in results}
    missing: list[str] = []
    for row in matrix:
        if row.device not in devices:
            continue
        result = found.get(row.name)
        if result is None:
            missing.append(f"{row.name}: the whole row")
            continue
        absent = [CONTESTANTS[key].title for key in row.contestants if not result.of(key)]
        if absent:
            missing.append(f"{row.name}: {', '.join(absent)}")
        if result.row.rounds < row.rounds:
            missing.append(f"{row.name}: {row.rounds - result.row.rounds} of {row.rounds} rounds")
    return missing


def rate_lines(results: Sequence[RowResult], machine: Machine) -> list[tuple[str, ...]]:
    """How near fp32's forwards on a CPU come to a matrix product, to go under RATES_HEAD."""
    found = []
    for result in results:
        runs = [run for run in result.of("fp32") if run.steps]
        if not runs or result.row.device != "cpu":
            continue
        rate = result.products / median(run.forwards[0] for run in runs)
        numbers = f"{result.products / 1e3:.2f}", f"{rate:.0f}", f"{rate / machine.products:.0%}"
        found.append((f"{result.row.name}, {CONTESTANTS['fp32'].title}", *numbers))
    return found


def _steps(run: Run) -> tuple[float, ...]:
    """Mean seconds of a case's steps, then the wall time of the run."""
    sliding = mean(sum(s for step, s in case.items() if step.startswith("predict")) for case in run.steps)
    forward = mean(case.get(FORWARD, 0.0) for case in run.steps)
    named = [
        mean(case.get(step, 0.0) for case in run.steps) for step in ("read", "preprocess", "labels", "write")
    ]
    return named[0], named[1], forward, sliding, named[2], named[3], run.wall_seconds
