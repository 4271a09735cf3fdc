"""Seconds of `import segcube`, `--help` and `info`: `python benchmarks/startup.py [--against PYTHON]`.

PYTHON: the interpreter of another environment with segcube; its runs are interleaved with this one's.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from time import perf_counter

COMMANDS = {
    "import segcube": ["-c", "import segcube"],
    "segcube --help": ["-m", "segcube.cli", "--help"],
    "segcube info": ["-m", "segcube.cli", "info"],
}


def seconds(python: str, command: list[str]) -> float:
    """Wall time of one run."""
    start = perf_counter()
    subprocess.run([python, *command], check=True, capture_output=True)
    return perf_counter() - start


def main() -> None:
    """Print the median, the least and the most of each command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", metavar="PYTHON", help="interpreter of another environment")
    parser.add_argument("--runs", type=int, default=15)
    given = parser.parse_args()
    pythons = {"this": sys.executable} | ({"other": given.against} if given.against else {})
    for name, command in COMMANDS.items():
        for python in pythons.values():
            seconds(python, command)
        runs = [{key: seconds(python, command) for key, python in pythons.items()} for _ in range(given.runs)]
        for key in pythons:
            values = sorted(run[key] for run in runs)
            spread = f"{values[0]:.3f} to {values[-1]:.3f}"
            print(f"{name:16} {key:6} {statistics.median(values):.3f} s ({spread})")


if __name__ == "__main__":
    main()
