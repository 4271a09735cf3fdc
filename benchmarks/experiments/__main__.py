"""Experiments on phantoms: run from the folder benchmarks/ as `python -m experiments [NAME...]`.

Writes the table of each to tables/NAME.json, and docs/experiments.md of all tables.
Finished trainings are kept in bench/experiments.
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
from experiments.diffusion import run_diffusion
from experiments.ensemble import run_ensemble
from experiments.finetuning import run_finetuning
from experiments.first_stages import run_first_stages
from experiments.generator import run_generator

EXPERIMENTS: Mapping[str, Callable[[Path], Sequence[str]]] = {
    "cascade": run_cascade,
    "finetuning": run_finetuning,
    "first_stages": run_first_stages,
    "ensemble": run_ensemble,
    "diffusion": run_diffusion,
    "generator": run_generator,
}
TEMPLATE = Path(__file__).with_name("page.md")
TABLES = Path(__file__).with_name("tables")


def main() -> None:
    """Run experiments, print their tables, and write the page."""
    parser = argparse.ArgumentParser(prog="experiments", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: {', '.join(EXPERIMENTS)}")
    for name in parser.parse_args().names or EXPERIMENTS:
        folder = WORK / name
        folder.mkdir(parents=True, exist_ok=True)
        lines = EXPERIMENTS[name](folder)
        content = {"machine": describe_machine().text, "lines": lines}
        (TABLES / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
        print("\n".join(lines), flush=True)
    write_page()


def write_page() -> None:
    """Write docs/experiments.md of the stored tables."""
    tables = {file.stem: json.loads(file.read_text()) for file in sorted(TABLES.glob("*.json"))}
    machines: dict[str, list[str]] = {}
    for name, table in tables.items():
        machines.setdefault(table["machine"], []).append(name)
    machine = "\n\n".join(f"{', '.join(names)}: {text}" for text, names in machines.items())
    content = {name: "\n".join(table["lines"]) for name, table in tables.items()}
    page = TEMPLATE.read_text().format(machine=machine, **content)
    (ROOT / "docs" / "experiments.md").write_text(page)


if __name__ == "__main__":
    main()
