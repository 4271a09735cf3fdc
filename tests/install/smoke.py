"""Use an installed segcube without torch: imports, commands, a starter and the Python API.

Runs in the installed environment, from an empty folder, and needs nothing but segcube. --demo: runs
`segcube demo` as well.
"""

from __future__ import annotations

import importlib
import pkgutil
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import typer
from typer.testing import CliRunner

import segcube
from segcube.backends.native import find_kernels
from segcube.cli.app import app
from segcube.formats.nifti import read_labels
from segcube.phantoms import PhantomSet, write_phantoms
from segcube.spec.challenges import load_challenge

CHALLENGE, STARTER = "brats2023-gli", "brats-starter"
EXTRAS = {"torch", "monai", "dynamic_network_architectures", "einops", "matplotlib"}
"""What only extras install."""
EDGE = 80
"""Voxels along each axis of a case, which `segcube phantoms` makes larger."""


def import_modules() -> int:
    """Import every module that needs no extra; returns their number."""
    count = 0
    for module in pkgutil.walk_packages(segcube.__path__, "segcube."):
        # __main__ would run a command; the kernels' libraries look like modules
        if module.name.rpartition(".")[2].startswith("_"):
            continue
        try:
            importlib.import_module(module.name)
            count += 1
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in EXTRAS:
                raise
    return count


def run(*words: object) -> str:
    """Run a command, which must succeed; returns its output."""
    command = [sys.executable, "-P", "-m", "segcube", *map(str, words)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{words}: {ended.stdout}{ended.stderr}"
    return ended.stdout + ended.stderr


def commands(command: typer.core.TyperGroup, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command and group."""
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*words, name))


def predict() -> None:
    """Predict a synthetic case with a starter, by the command line and the Python API."""
    folder = Path("case")
    data, maps, of_challenge = folder / "data", folder / "maps", ("--challenge", CHALLENGE)
    write_phantoms(PhantomSet(load_challenge(CHALLENGE), 1, 0), folder, edge=EDGE)
    output = run("infer", "--data", data, "--out", maps, "--preset", "fast", *of_challenge)
    assert STARTER in output, output
    run("check", "input", data, *of_challenge)
    run("check", "output", maps, "--data", data, *of_challenge)
    scores = folder / "scores.json"
    run("evaluate", "--maps", maps, "--ref", folder / "labels", *of_challenge, "--scores", scores)
    run("rank", scores, shutil.copy(scores, folder / "same.json"))
    weights = Path(segcube.__file__).parent / "checkout" / "weights" / STARTER
    run("check", "submission", weights)
    with segcube.load(weights, device="cpu", preset="fast") as model:
        labels_xyz = model.predict(data).labels_xyz
    [file] = maps.iterdir()
    assert labels_xyz.any()
    assert np.array_equal(labels_xyz, read_labels(file)[0]), "the API gives the labels of the command"


def main() -> None:
    """Print what was used; fails at the first thing that cannot be."""
    print(f"Python {platform.python_version()}, segcube in {Path(segcube.__file__).parent}")
    print(f"  {import_modules()} modules imported")
    kernels = find_kernels()
    has_avx2 = "avx2" in Path("/proc/cpuinfo").read_text().split()
    assert not has_avx2 or not isinstance(kernels, str), kernels
    print(f"  native kernels: {kernels if isinstance(kernels, str) else kernels.vectors}")
    all_words = list(commands(typer.main.get_command(app)))
    for words in all_words:
        assert "Usage:" in CliRunner().invoke(app, [*words, "--help"]).stdout, words
    print(f"  --help of {len(all_words)} commands")
    run("doctor")
    predict()
    print("  a case predicted, checked, scored and ranked")
    if "--demo" in sys.argv:
        run("demo", "demo", "--challenge", "mbas2024")
        print("  segcube demo run")
    assert not EXTRAS & set(sys.modules), "a light install has none of the extras"


if __name__ == "__main__":
    main()
