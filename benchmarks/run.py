"""`make bench-own`: measure the figures of the README and the notes."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from cases import copies_of, write_cases
from resampling import FINE, NATIVE, measure
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
SEGCUBE = [sys.executable, "-m", "segcube.cli"]


def wall(*arguments: str, times: int = 3) -> float:
    """The best wall time of a command, in seconds."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run([*SEGCUBE, *arguments], check=True, capture_output=True)
        best = min(best, time.perf_counter() - start)
    return best


def infer(data: Path, weights: Path, out: Path) -> tuple[float, float]:
    """Wall seconds and peak memory in MB of one `segcube infer`."""
    arguments = [
        "infer",
        "--data_path",
        data,
        "--output_path",
        out,
        "--weights",
        weights,
        "--device",
        "cpu",
        "--quiet",
    ]
    start = time.perf_counter()
    child = subprocess.Popen([*SEGCUBE, *map(str, arguments)])
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"segcube infer ended with {status}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def with_members(starter: Path, count: int, folder: Path) -> Path:
    """Compile a submission of `count` copies of the starter's first member."""
    content = yaml.safe_load((starter / "submission.yaml").read_text())
    branch = content["stages"][0]["branches"][0]
    member = branch["members"][0]
    folder.mkdir()
    branch["members"] = [member | {"file": f"{index}.safetensors"} for index in range(count)]
    for index in range(count):
        (folder / f"{index}.safetensors").symlink_to((starter / member["file"]).resolve())
    (folder / "submission.yaml").write_text(yaml.safe_dump(content))
    subprocess.run([*SEGCUBE, "compile", str(folder)], check=True, capture_output=True)
    return folder


def main() -> None:
    table = Table("what", "found", "goal", title=f"{platform.machine()}, Python {platform.python_version()}")
    resampling = measure(NATIVE, FINE)
    table.add_row(
        "resampling, order 3, against scikit-image",
        f"{resampling.ratio:.1f} times as fast, {resampling.difference:.1e} apart",
        ">= 5, <= 1e-4",
    )
    table.add_row("segcube --help", f"{wall('--help'):.2f} s", "< 0.5 s")
    table.add_row(
        "segcube info weights/brats-starter",
        f"{wall('info', str(ROOT / 'weights/brats-starter')):.2f} s",
        "< 0.5 s",
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        one = write_cases("brats2023-gli", 1, folder / "one")
        starter = ROOT / "weights/brats-starter"
        peaks = {
            n: infer(one, with_members(starter, n, folder / f"members{n}"), folder / f"out{n}")[1]
            for n in (1, 5)
        }
        growth = f"{peaks[1]:.0f} MB, {peaks[5]:.0f} MB: {peaks[5] / peaks[1] - 1:+.1%}"
        table.add_row("peak memory, 1 and 5 members", growth, "<= +10 %")
        found = {
            n: infer(copies_of(one, n, folder / f"cases{n}"), starter, folder / f"maps{n}") for n in (2, 20)
        }
        growth = f"{found[2][1]:.0f} MB, {found[20][1]:.0f} MB: {found[20][1] / found[2][1] - 1:+.1%}"
        table.add_row("peak memory, 2 and 20 cases", growth, "<= +5 %")
        table.add_row("seconds a case after the second", f"{(found[20][0] - found[2][0]) / 18:.2f} s", "-")
        first, again = (sorted((folder / f"maps{n}").iterdir())[0].read_bytes() for n in (2, 20))
        table.add_row("the same input, the same bytes", "yes" if first == again else "NO", "yes")
    Console(width=120).print(table)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
