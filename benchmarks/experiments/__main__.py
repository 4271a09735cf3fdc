"""Experiments on phantoms: run from the folder benchmarks/ as `python -m experiments [NAME...]`.

Writes docs/experiments.md once all were run. Finished trainings are kept.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from versus.contestants import ROOT
from versus.inputs import describe_machine

from experiments.cascade import run_cascade
from experiments.commands import WORK
from experiments.ensemble import run_ensemble
from experiments.finetuning import run_finetuning
from experiments.first_stages import run_first_stages

EXPERIMENTS: Mapping[str, Callable[[Path], Sequence[str]]] = {
    "cascade": run_cascade,
    "finetuning": run_finetuning,
    "first_stages": run_first_stages,
    "ensemble": run_ensemble,
}
TEMPLATE = Path(__file__).with_name("page.md")


def main() -> None:
    """Run experiments, print their tables, and write the page."""
    parser = argparse.ArgumentParser(prog="experiments", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: {', '.join(EXPERIMENTS)}")
    for name in parser.parse_args().names or EXPERIMENTS:
        folder = WORK / name
        folder.mkdir(parents=True, exist_ok=True)
        lines = EXPERIMENTS[name](folder)
        (folder / "table.json").write_text(json.dumps(lines))
        print("\n".join(lines), flush=True)
    write_page()


def write_page() -> None:
    """Write docs/experiments.md, if all experiments were run."""
    tables = {name: WORK / name / "table.json" for name in EXPERIMENTS}
    if all(file.exists() for file in tables.values()):
        content = {name: "\n".join(json.loads(file.read_text())) for name, file in tables.items()}
        page = TEMPLATE.read_text().format(machine=describe_machine().text, **content)
        (ROOT / "docs" / "experiments.md").write_text(page)


if __name__ == "__main__":
    main()
