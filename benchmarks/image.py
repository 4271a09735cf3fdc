"""The overhead of the image: seconds of `docker run` without those of its small case."""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from segcube.phantoms import PhantomSet, write_phantoms
from segcube.release.trial.launch import Engine, find_engine
from segcube.release.trial.trial import Subject, prepare
from segcube.spec.challenges import load_challenge
from segcube.spec.hosts import BUILT_IN_WEIGHTS, HOSTS

GOAL = 6.0
SUBMISSIONS = {"brats-starter": "brats2023-gli", "mbas-starter": "mbas2024"}
DROP_CACHES = Path("/proc/sys/vm/drop_caches")


def seconds(engine: Engine, image: str, subject: Subject, folder: Path) -> float:
    host = next(host for host in HOSTS if host.name == "docker")
    trial = prepare(host, subject, folder)
    with contextlib.suppress(OSError):
        DROP_CACHES.write_text("3")
    ended = engine.run(image, trial, 600)
    if ended.code != 0:
        raise SystemExit(ended.log)
    [case] = re.findall(r"done in ([\d.]+) s", ended.log)
    return ended.seconds - float(case)


def main() -> None:
    image = sys.argv[1] if len(sys.argv) > 1 else "segcube:latest"
    engine = find_engine()
    if engine is None or not engine.has(image):
        raise SystemExit(f"no engine with {image}: make image")
    table = Table("what", "found", "goal")
    with tempfile.TemporaryDirectory() as scratch:
        for name, key in SUBMISSIONS.items():
            cases = Path(scratch) / name
            write_phantoms(PhantomSet(load_challenge(key), 1, 0), cases, edge=16)
            subject = Subject(name, BUILT_IN_WEIGHTS / name, key, cases / "data")
            times = [seconds(engine, image, subject, cases / str(turn)) for turn in range(3)]
            table.add_row(
                f"start, imports and weights, {name}, page cache dropped, worst of 3",
                f"{max(times):.1f} s",
                f"<= {GOAL:g} s",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
