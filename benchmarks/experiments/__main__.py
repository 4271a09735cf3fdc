"""Experiments on phantoms: run from the folder benchmarks/ as `python -m experiments`. Prints a table."""

from __future__ import annotations

from experiments.cascade import cascade_table, run_cascade
from experiments.commands import WORK


def main() -> None:
    """Train, and print the scores."""
    print("\n".join(cascade_table(run_cascade(WORK / "cascade"))))


if __name__ == "__main__":
    main()
