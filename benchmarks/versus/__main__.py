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
from versus.inputs import run_quietly
from versus.machine import Machine, describe_machine
from versus.matrix import Matrix, compare_forwards
from versus.plot import draw
from versus.report import CONSOLE, print_results, write_page
from versus.results import Forwards, RowResult
from versus.rows import COARSE, CUDA, FULL, QUICK, SHORT, TINY, Device, Row

WIDTH, TINY_WIDTH = 32, 8
"""Channels of the MedNeXt."""


@dataclass(frozen=True)
class Found:
    """All results of a benchmark."""

    machine: Machine
    minutes: float
    rows: tuple[RowResult, ...]
    forwards: tuple[Forwards, ...]


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
    verdicts = check_goals(found.rows, found.forwards)
    print_results(found.rows, verdicts)
    name = "speed-cuda.md" if {result.row.device for result in found.rows} == {"cuda"} else "speed.md"
    page = (work if options.quick or options.row else ROOT / "docs") / name
    draw(found.rows, page.with_suffix(".png"))
    write_page(page, found.machine, found.rows, matrix_of(options), verdicts)
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
    devices: list[Device] = ["cpu", *(["cuda"] if machine.gpu else [])]
    if options.device != "auto":
        devices = [options.device]
    matrix = matrix_of(options)
    rows = [
        replace(
            row,
            rounds=options.rounds or row.rounds,
            contestants=tuple(
                key for key in row.contestants if key in (options.contestant or row.contestants)
            ),
        )
        for row in matrix
        if row.device in devices and row.name in (options.row or [row.name])
    ]
    # Import each library once, so that the first run finds bytecode and files in the cache
    imports = "import monai.inferers, nnunetv2.inference.predict_from_raw_data"
    run_quietly([ORACLE, "-W", "ignore", "-c", imports])
    run_quietly([SEGCUBE, "--help"])
    bench = Matrix(work, options.data, machine, {row.plan: folds_of(row, matrix) for row in rows})
    results: list[RowResult] = []
    for row in rows:
        results.append(bench.run(row))
        yield Found(machine, (perf_counter() - start) / 60, tuple(results), ())
    if "cpu" in devices and not options.row:
        plan, width = (TINY, TINY_WIDTH) if options.quick else (COARSE, WIDTH)
        forwards = compare_forwards(plan, width, work, options.data)
        yield Found(machine, (perf_counter() - start) / 60, tuple(results), (forwards,))


def matrix_of(options: argparse.Namespace) -> tuple[Row, ...]:
    """All rows of the chosen size, on every device."""
    return QUICK if options.quick else (FULL if options.full else SHORT) + CUDA


def folds_of(row: Row, matrix: tuple[Row, ...]) -> int:
    """Folds in the model folder of a row's plan: enough for all its rows on that device."""
    return max(other.folds for other in matrix if other.plan == row.plan and other.device == row.device)


if __name__ == "__main__":
    raise SystemExit(main())
