"""A benchmark's preparation and metrics, as small as MedPerf allows, with the standard library only."""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import struct
from pathlib import Path

DATATYPES = {2: "B", 4: "h", 256: "b", 512: "H"}
"""NIfTI-1's codes of whole numbers, as struct names them."""


def prepare(arguments: argparse.Namespace) -> None:
    shutil.copytree(arguments.data_path, arguments.output_path, dirs_exist_ok=True)
    shutil.copytree(arguments.labels_path, arguments.output_labels_path, dirs_exist_ok=True)


def sanity_check(arguments: argparse.Namespace) -> None:
    cases = {folder.name for folder in arguments.data_path.iterdir()}
    labels = {file.name.removesuffix(".nii.gz") for file in arguments.labels_path.iterdir()}
    assert cases, "no case"
    assert cases == labels, f"cases without labels, or labels without a case: {cases ^ labels}"


def statistics(arguments: argparse.Namespace) -> None:
    arguments.output_path.write_text(json.dumps({"cases": len(list(arguments.data_path.iterdir()))}))


def evaluate(arguments: argparse.Namespace) -> None:
    """Write the Dice of the foreground for each case; a missing or extra map is an error, as in 2023."""
    names = sorted(file.name for file in arguments.labels.iterdir())
    found = sorted(file.name for file in arguments.predictions.iterdir())
    assert names == found, f"maps {found} for labels {names}"
    scores = {
        name: dice(foreground(arguments.predictions / name), foreground(arguments.labels / name))
        for name in names
    }
    arguments.output_path.write_text(json.dumps(scores))


def foreground(file: Path) -> set[int]:
    """Positions of the voxels that are not background."""
    content = gzip.decompress(file.read_bytes())
    (sides,) = struct.unpack_from("<h", content, 40)
    shape = struct.unpack_from(f"<{sides}h", content, 42)
    (code,) = struct.unpack_from("<h", content, 70)
    (start,) = struct.unpack_from("<f", content, 108)
    count = 1
    for side in shape:
        count *= side
    values = struct.unpack_from(f"<{count}{DATATYPES[code]}", content, int(start))
    return {position for position, value in enumerate(values) if value}


def dice(one: set[int], other: set[int]) -> float:
    return 2 * len(one & other) / (len(one) + len(other)) if one or other else 1.0


TASKS = {
    "prepare": (prepare, ("data_path", "labels_path", "output_path", "output_labels_path")),
    "sanity_check": (sanity_check, ("data_path", "labels_path")),
    "statistics": (statistics, ("data_path", "labels_path", "output_path")),
    "evaluate": (evaluate, ("predictions", "labels", "output_path")),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    tasks = parser.add_subparsers(required=True)
    for name, (task, options) in TASKS.items():
        words = tasks.add_parser(name)
        words.set_defaults(task=task)
        for option in options:
            words.add_argument(f"--{option}", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.task(arguments)


if __name__ == "__main__":
    main()
