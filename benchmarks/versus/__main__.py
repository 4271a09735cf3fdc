"""`make bench`: run from the folder benchmarks/ as `python -m versus`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from pydantic import TypeAdapter

from versus.console import CONSOLE, show
from versus.contestants import CONTESTANTS, ORACLE, ROOT, SEGCUBE
from versus.goals import verdicts
from versus.machine import Machine, look_around
from versus.matrix import Matrix
from versus.mednext import Forwards, compare_forwards
from versus.models import run_quietly
from versus.page import write_page
from versus.plans import COARSE, TINY
from versus.plot import draw
from versus.results import RowResult
from versus.rows import CUDA, FULL, QUICK, SHORT
from versus.specs import Device, Row

WIDTH, TINY_WIDTH = 32, 8
"""Channels of the MedNeXt."""


@dataclass(frozen=True)
class Found:
    """All that a run of the bench leaves."""

    machine: Machine
    minutes: float
    rows: tuple[RowResult, ...]
    forwards: tuple[Forwards, ...]


def main() -> int:
    """Run a matrix, or tell the last one again; 1 when a run failed."""
    told = arguments()
    work = ROOT / "bench" / ("quick" if told.quick else "versus")
    work.mkdir(parents=True, exist_ok=True)
    raw, adapter = work / ("rows.json" if told.row else "results.json"), TypeAdapter(Found)
    if not told.again:
        for found in run_all(told, work):
            raw.write_bytes(adapter.dump_json(found, indent=1))
    found = adapter.validate_json(raw.read_bytes())
    judged = verdicts(found.rows, found.forwards)
    show(found.rows, judged)
    name = "speed-cuda.md" if {result.row.device for result in found.rows} == {"cuda"} else "speed.md"
    page = (work if told.quick or told.row else ROOT / "docs") / name
    draw(found.rows, page.with_suffix(".png"))
    write_page(page, found.machine, found.rows, matrix_of(told), judged)
    CONSOLE.print(f"{found.minutes:.1f} minutes; every run is in {raw}, the page is {page}")
    return int(any(run.failed for result in found.rows for run in result.runs))


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="versus", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="the whole matrix: hours")
    size.add_argument("--quick", action="store_true", help="tiny networks, to try the bench itself")
    parser.add_argument("--row", action="append", help="of the matrix; several times for several")
    parser.add_argument(
        "--contestant", action="append", choices=CONTESTANTS, help="instead of each row's own"
    )
    parser.add_argument("--rounds", type=int, help="instead of each row's own number")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: all there are"
    )
    parser.add_argument("--data", type=Path, help="folder of data folders, each named as its challenge's key")
    parser.add_argument("--again", action="store_true", help="tell and draw the last results again")
    return parser.parse_args()


def run_all(told: argparse.Namespace, work: Path) -> Iterator[Found]:
    """Run the rows that were asked for, on the devices that are there; all that is known after each."""
    start = perf_counter()
    machine = look_around()
    CONSOLE.print(machine.told())
    devices: list[Device] = (
        [told.device] if told.device != "auto" else ["cpu", *(["cuda"] if machine.gpu else [])]
    )
    matrix = matrix_of(told)
    rows = [row for row in matrix if row.device in devices and row.name in (told.row or [row.name])]
    rows = [
        replace(row, rounds=told.rounds or row.rounds, contestants=_those_asked(row, told)) for row in rows
    ]
    warm()
    bench = Matrix(work, told.data, machine, {row.plan: folds_of(row, matrix) for row in rows})
    results: list[RowResult] = []
    for row in rows:
        results.append(bench.run(row))
        yield Found(machine, (perf_counter() - start) / 60, tuple(results), ())
    if "cpu" in devices and not told.row:
        plan, width = (TINY, TINY_WIDTH) if told.quick else (COARSE, WIDTH)
        forwards = compare_forwards(plan, width, work, told.data)
        yield Found(machine, (perf_counter() - start) / 60, tuple(results), (forwards,))


def matrix_of(told: argparse.Namespace) -> tuple[Row, ...]:
    """All rows of the size that was asked for, on every device."""
    return QUICK if told.quick else (FULL if told.full else SHORT) + CUDA


def _those_asked(row: Row, told: argparse.Namespace) -> tuple[str, ...]:
    return tuple(key for key in row.contestants if key in (told.contestant or row.contestants))


def folds_of(row: Row, matrix: tuple[Row, ...]) -> int:
    """Folds that the model folder of a row's plan holds: enough for all its rows on that device."""
    return max(other.folds for other in matrix if other.plan == row.plan and other.device == row.device)


def warm() -> None:
    """Import each library once, so that the first run finds its bytecode written and its files read."""
    run_quietly(
        [ORACLE, "-W", "ignore", "-c", "import monai.inferers, nnunetv2.inference.predict_from_raw_data"]
    )
    run_quietly([SEGCUBE, "--help"])


if __name__ == "__main__":
    raise SystemExit(main())
