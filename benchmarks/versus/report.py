"""The report: tables on the console, and the page of the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from string import Template

from rich.console import Console
from rich.table import Table

from versus.contestants import CONTESTANTS
from versus.goals import Verdict
from versus.results import FORWARD, RowResult, Run

CONSOLE = Console(width=150)
HEAD = (
    "contestant",
    "wall s",
    "processor s",
    "peak GB",
    "differing voxels",
    "Dice",
    "as fast as nnU-Net",
    "memory ratio",
)
STEPS = ("read", "preprocess", FORWARD, "windows", ("restore", "postprocess"), "write")
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


def title(result: RowResult) -> str:
    """The description of a row."""
    row = result.row
    counts = ((row.folds, "fold"), (8 if row.mirrors else 1, "view"), (row.cases, "case"))
    words = ", ".join(f"{number} {noun}{'s' * (number > 1)}" for number, noun in counts)
    return f"{row.name}: {row.plan.name}, {words}, windows of {'x'.join(map(str, row.plan.patch))} (z, y, x)"


def lines(result: RowResult) -> list[tuple[str, ...]]:
    """A line for each contestant, under HEAD: medians, and ranges of several rounds."""
    found: list[tuple[str, ...]] = []
    for key in dict.fromkeys(run.contestant for run in result.runs):
        name, runs = CONTESTANTS[key].title, result.of(key)
        if not runs:
            found.append((name, "failed", *("",) * (len(HEAD) - 2)))
            continue
        agreement = runs[0].agreement
        ratios = [result.ratio(key, "nnunet", number) for number in ("wall_seconds", "peak_bytes")]
        found.append(
            (
                name,
                str(result.spread(key, "wall_seconds")),
                f"{median(run.cpu_seconds for run in runs):.1f}",
                f"{median(run.peak_bytes for run in runs) / 1e9:.2f}",
                f"{agreement.differing:.3%}" if agreement else "",
                f"{agreement.dice:.4f}" if agreement else "",
                *("" if key == "nnunet" or ratio is None else str(ratio) for ratio in ratios),
            )
        )
    return found


def step_lines(results: Sequence[RowResult]) -> list[tuple[str, ...]]:
    """Mean seconds of each step of a case in segcube, and of the run, under STEPS_HEAD."""
    found: list[tuple[str, ...]] = []
    for result in results:
        for key in result.row.contestants:
            if runs := [run for run in result.of(key) if run.steps]:
                cases = runs[-1].steps
                means = (mean(_seconds(case, step) for case in cases) for step in STEPS)
                start = f"{runs[-1].start_up:.2f}" if result.row.cases == 1 else ""
                numbers = (f"{seconds:.2f}" for seconds in (*means, runs[-1].wall_seconds))
                found.append((f"{result.row.name}, {CONTESTANTS[key].title}", start, *numbers))
    return found


def _seconds(case: Mapping[str, float], step: str | tuple[str, ...]) -> float:
    """Of a step or several, or of all steps whose names begin with it."""
    return sum(seconds for name, seconds in case.items() if name.startswith(step))


def print_results(results: Sequence[RowResult], verdicts: Sequence[Verdict]) -> None:
    """Print a table for each row, the time of each step, and the goals."""
    tables = [(title(result), HEAD, lines(result)) for result in results]
    steps = "where segcube's time goes, seconds of a case; start and end, and all: of the run"
    tables.append((steps, STEPS_HEAD, step_lines(results)))
    tables.append(("what must hold", ("what", "found", "goal", "met"), _goal_lines(verdicts)))
    for name, head, rows in tables:
        table = Table(head[0], title=name, title_justify="left")
        for column in head[1:]:
            table.add_column(column, justify="right")
        for row in rows:
            table.add_row(*row)
        CONSOLE.print(table)


def write_page(file: Path, machine: str, results: Sequence[RowResult], verdicts: Sequence[Verdict]) -> None:
    """Fill in page.md and write it, with its picture beside it. machine: its description."""
    text = Template(Path(__file__).with_name("page.md").read_text()).substitute(
        machine=machine,
        picture=file.with_suffix(".png").name,
        rows="".join(f"**{title(result)}**\n\n{_table(HEAD, lines(result))}\n" for result in results),
        steps=_table(STEPS_HEAD, step_lines(results)),
        goals=_table(("what", "found", "goal", "met"), _goal_lines(verdicts)),
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _goal_lines(verdicts: Sequence[Verdict]) -> list[tuple[str, ...]]:
    return [(*verdict[:3], "yes" if verdict.met else "**no**") for verdict in verdicts]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *rows))


def run_text(run: Run) -> str:
    """A run in a line."""
    if run.failed:
        return f"FAILED, see {run.failed}"
    differing = f", {run.agreement.differing:.3%} of the labels differ" if run.agreement else ""
    times = f"{run.wall_seconds:.1f} s, {run.cpu_seconds:.1f} s of processor"
    return f"{times}, {run.peak_bytes / 1e9:.2f} GB{differing}"
