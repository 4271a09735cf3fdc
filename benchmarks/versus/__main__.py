"""`make bench`: run from the folder benchmarks/ as `python -m versus`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from pydantic import TypeAdapter

from versus.contestants import CONTESTANTS, ORACLE, ROOT, SEGCUBE
from versus.goals import check_goals
from versus.inputs import Machine, describe_machine, run_quietly
from versus.matrix import run_row
from versus.plot import draw
from versus.report import CONSOLE, print_results, write_page
from versus.results import RowResult
from versus.rows import CUDA, FULL, QUICK, SHORT


@dataclass(frozen=True)
class Found:
    """All results of a benchmark."""

    machine: Machine
    minutes: float
    rows: tuple[RowResult, ...]


def main() -> int:
    """Run a matrix, or report the last results again; 1 if a run failed."""
    options = parse_arguments()
    work = ROOT / "bench" / ("quick" if options.quick else "versus")
    work.mkdir(parents=True, exist_ok=True)
    raw, adapter = work / ("rows.json" if options.row else "results.json"), TypeAdapter(Found)
    if not options.again:
        for found in run_all(options, work):
            raw.write_bytes(adapter.dump_json(found, indent=1))
    found = adapter.validate_json(raw.read_bytes())
    verdicts = check_goals(found.rows)
    print_results(found.rows, verdicts)
    name = "speed-cuda.md" if {result.row.device for result in found.rows} == {"cuda"} else "speed.md"
    page = (work if options.quick or options.row else ROOT / "docs") / name
    draw(found.rows, page.with_suffix(".png"))
    write_page(page, found.machine.text, found.rows, verdicts)
    CONSOLE.print(f"{found.minutes:.1f} minutes; every run is in {raw}, the page is {page}")
    return int(any(run.failed for result in found.rows for run in result.runs))


def parse_arguments() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="versus", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="the whole matrix: hours")
    size.add_argument("--quick", action="store_true", help="tiny networks, to test the benchmark")
    parser.add_argument("--row", action="append", help="a row of the matrix; repeat for more")
    parser.add_argument(
        "--contestant", action="append", choices=CONTESTANTS, help="instead of each row's own"
    )
    parser.add_argument("--rounds", type=int, help="instead of each row's own number")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: all devices")
    parser.add_argument("--data", type=Path, help="folder of data folders, each named as its challenge's key")
    parser.add_argument("--again", action="store_true", help="report the last results again")
    return parser.parse_args()


def run_all(options: argparse.Namespace, work: Path) -> Iterator[Found]:
    """Run the chosen rows on the available devices; yields all results so far after each."""
    start = perf_counter()
    machine = describe_machine()
    CONSOLE.print(machine.text)
    devices = ["cpu", *(["cuda"] if machine.gpu else [])] if options.device == "auto" else [options.device]
    matrix = QUICK if options.quick else (FULL if options.full else SHORT) + CUDA
    # Import each library once, so that the first run finds bytecode and files in the cache
    imports = "import monai.inferers, nnunetv2.inference.predict_from_raw_data"
    run_quietly([ORACLE, "-W", "ignore", "-c", imports])
    run_quietly([SEGCUBE, "--help"])
    results: list[RowResult] = []
    for row in matrix:
        if row.device in devices and row.name in (options.row or [row.name]):
            keys = tuple(key for key in row.contestants if key in (options.contestant or row.contestants))
            # Enough folds for all rows of a plan, which share its model folder
            folds = max(other.folds for other in matrix if other.plan == row.plan)
            chosen = replace(row, rounds=options.rounds or row.rounds, contestants=keys)
            results.append(run_row(chosen, folds, work, options.data, machine.has_bf16))
            yield Found(machine, (perf_counter() - start) / 60, tuple(results))


if __name__ == "__main__":
    raise SystemExit(main())
