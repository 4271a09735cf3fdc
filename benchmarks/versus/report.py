"""The report: tables on the console, and the page of the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median
from string import Template

from rich.console import Console
from rich.table import Table

from versus.contestants import CONTESTANTS
from versus.goals import Verdict, spread_text
from versus.machine import Machine
from versus.results import FORWARD, RowResult, Run
from versus.rows import Row

CONSOLE = Console(width=150)
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
    """The description of a row."""
    row, shape = result.row, "x".join(map(str, result.shapes[0]))
    return (
        f"{row.name}: {row.plan.name}, {row.folds} fold{'s' * (row.folds > 1)}, "
        f"{8 if row.mirrors else 1} view{'s' * row.mirrors}, {row.cases} case{'s' * (row.cases > 1)}, "
        f"{result.windows} windows of {'x'.join(map(str, row.plan.patch))} on {shape} (z, y, x)"
    )


def lines(result: RowResult) -> list[tuple[str, ...]]:
    """A line for each contestant, under HEAD: medians, and ranges of several rounds."""
    found: list[tuple[str, ...]] = []
    for key in dict.fromkeys(run.contestant for run in result.runs):
        name, runs, wall = CONTESTANTS[key].title, result.of(key), result.spread(key, "wall_seconds")
        if wall is None:
            found.append((name, "failed", *("",) * (len(HEAD) - 2)))
            continue
        agreement = runs[0].agreement
        ratios = [result.ratio(key, "nnunet", number) for number in ("wall_seconds", "peak_bytes")]
        found.append(
            (
                name,
                spread_text(wall),
                f"{median(run.cpu_seconds for run in runs):.1f}",
                f"{median(run.peak_bytes for run in runs) / 1e9:.2f}",
                f"{agreement.differing:.3%}" if agreement else "",
                f"{agreement.dice:.4f}" if agreement else "",
                *("" if key == "nnunet" or ratio is None else spread_text(ratio) for ratio in ratios),
            )
        )
    return found


def step_lines(results: Sequence[RowResult]) -> list[tuple[str, ...]]:
    """Mean seconds of each step of a case in segcube, under STEPS_HEAD."""
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
    """Rows, contestants and rounds of the matrix that are not in these results, for their devices."""
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
    """The rate of fp32's forwards on a CPU against that of a matrix product, under RATES_HEAD."""
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


def print_results(results: Sequence[RowResult], verdicts: Sequence[Verdict]) -> None:
    """Print a table for each row, the time of each step, and the goals."""
    for result in results:
        _print_table(HEAD, lines(result), title(result))
    _print_table(
        STEPS_HEAD,
        step_lines(results),
        "where segcube's time goes, seconds of a case; start and end, and all: of the run",
    )
    goals = Table("what", "found", "goal", "met", title="what must hold")
    for verdict in verdicts:
        style = "" if verdict.met else "bold red"
        goals.add_row(verdict.what, verdict.found, verdict.goal, "yes" if verdict.met else "NO", style=style)
    CONSOLE.print(goals)


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    table = Table(head[0], title=title, title_justify="left")
    for name in head[1:]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    CONSOLE.print(table)


LEFT_OUT = """`make bench` has more rows than this page shows. Left out of this run, or impossible on this
machine (bf16 on a processor without bfloat16):
"""
RATES = """The rate of the forwards against the limit of this machine: torch's product of two matrices of 2048
x 2048 in fp32 reaches {rate}e9 multiply-adds a second here. Multiply-adds are those of the convolutions as
defined; Winograd's algorithm needs fewer, and so exceeds that rate.
"""


def write_page(
    file: Path,
    machine: Machine,
    results: Sequence[RowResult],
    matrix: Sequence[Row],
    verdicts: Sequence[Verdict],
) -> None:
    """Fill in page.md and write it, with its picture beside it. matrix: all rows of a complete run."""
    missing = "".join(f"- {line}\n" for line in left_out(results, matrix))
    rates = rate_lines(results, machine)
    goals = [(v.what, v.found, v.goal, "yes" if v.met else "**no**") for v in verdicts]
    text = Template(Path(__file__).with_name("page.md").read_text()).substitute(
        machine=machine.text,
        left_out=f"{LEFT_OUT}\n{missing}\n" if missing else "",
        picture=file.with_suffix(".png").name,
        rows="".join(f"**{title(result)}**\n\n{_table(HEAD, lines(result))}\n" for result in results),
        steps=_table(STEPS_HEAD, step_lines(results)),
        rates=RATES.format(rate=f"{machine.products:.0f}") + f"\n{_table(RATES_HEAD, rates)}\n"
        if rates
        else "",
        imports=_imports(results),
        goals=_table(("what", "found", "goal", "met"), goals),
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _imports(results: Sequence[RowResult]) -> str:
    """The cost of importing a model, for each number of folds."""
    found = {(result.row.plan.name, result.row.folds): result.imported for result in results}
    rows = [
        (
            f"{name}, {folds} fold{'s' * (folds > 1)}",
            f"{imported.seconds:.1f}",
            f"{imported.weight_bytes / 1e6:.1f}",
            f"{imported.compiled_bytes / 1e6:.1f}",
        )
        for (name, folds), imported in found.items()
    ]
    head = ("model", "`segcube import`, s", "weights, MB", "beside them, MB")
    return "Importing a model, and compiling it for the CPU, once:\n\n" + _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *rows))


def run_text(run: Run) -> str:
    """A run in a line."""
    if run.failed:
        return f"FAILED, see {run.failed}"
    differing = f", {run.agreement.differing:.3%} of the labels differ" if run.agreement else ""
    return (
        f"{run.wall_seconds:.1f} s, {run.cpu_seconds:.1f} s of processor, {run.peak_bytes / 1e9:.2f} GB"
        + differing
    )
