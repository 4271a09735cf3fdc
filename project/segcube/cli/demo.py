"""`segcube demo`: all steps from synthetic cases to scores and pictures."""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from segcube.cli.base.options import OutOfPlace, challenge_option, folder_of
from segcube.cli.evaluate import evaluate, picture
from segcube.cli.infer import infer
from segcube.cli.phantoms import phantoms
from segcube.core import LOG, UsageError, install_hint, printable

CHALLENGES = ("brats2023-gli", "mbas2024")
"""The challenges of the starters."""
CASES, SEED = 2, 7
MARK = "This folder was written by `segcube demo`.\n"
"""First line of a demo's README.txt."""


def demo(
    place: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="Folder to write to: new, empty, or that of an earlier demo. Default: segcube-demo.",
        ),
    ] = None,
    out: OutOfPlace = None,
    challenge: Annotated[
        str | None,
        challenge_option("Key of the challenge to show. Default: one for each starter."),
    ] = None,
) -> int:
    """Predict, score and draw synthetic cases with the starters.

    Runs phantoms, infer, evaluate and picture, and prints each command. The starters were trained on
    synthetic cases: the label maps show how the tool works, not how good your networks will be.

    \b
    Example:
      segcube demo
      segcube demo DIR --challenge mbas2024
    """
    from segcube.core import write_atomic
    from segcube.spec.challenges import load_challenge

    keys = (load_challenge(challenge).key,) if challenge else CHALLENGES
    _check_starters(keys)
    folder = folder_of(place, out) or Path("segcube-demo")
    readme = folder / "README.txt"
    _check_own(folder, readme)
    write_atomic(readme, (MARK + _overview(folder, keys)).encode(errors="backslashreplace"))
    for key in keys:
        for line, step in demo_steps(folder / key, key):
            typer.echo(f"\n$ segcube {printable(line)}")
            if code := step():
                return code
    if not _can_draw():
        LOG.warning(f"no pictures, as matplotlib is not installed: {install_hint('report')}")
    typer.echo()
    for line in _overview(folder, keys).splitlines():
        typer.echo(printable(line))
    return 0


def _check_starters(keys: tuple[str, ...]) -> None:
    """Raise UsageError for a challenge that no built-in submission serves."""
    from segcube.spec.hosts import BUILT_IN_WEIGHTS
    from segcube.spec.submission import read_submission, submission_folders

    folders = submission_folders(BUILT_IN_WEIGHTS)
    served = [key for folder in folders for key in read_submission(folder).challenge_keys]
    if unserved := [key for key in keys if key not in served]:
        raise UsageError(f"no starter serves {', '.join(unserved)}", expected="one of " + ", ".join(served))


def _check_own(folder: Path, readme: Path) -> None:
    """Raise UsageError for a folder that holds anything but an earlier demo."""
    is_new = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not is_new and not (readme.is_file() and readme.read_bytes().startswith(MARK.encode())):
        raise UsageError(
            "is not the folder of an earlier demo", file=folder, expected="a new or an empty folder"
        )


def demo_steps(place: Path, key: str) -> list[tuple[str, Callable[[], int | None]]]:
    """The command line and the work of each step for one challenge."""
    data, labels, maps = place / "data", place / "labels", place / "maps"
    report, scores, pictures = place / "report.json", place / "scores.json", place / "pictures"
    steps: list[tuple[list[object], Callable[[], int | None]]] = [
        (
            ["phantoms", place, "--count", CASES, "--seed", SEED],
            partial(phantoms, key, place, None, CASES, SEED),
        ),
        (
            ["infer", "-i", data, "-o", maps, "--report", report],
            partial(infer, data, maps, challenge=key, report=report),
        ),
        (
            ["evaluate", "--maps", maps, "--ref", labels, "--scores", scores],
            partial(evaluate, maps, labels, key, scores=scores),
        ),
        (
            ["picture", "-i", data, "--maps", maps, "--ref", labels, "-o", pictures],
            partial(picture, data, maps, pictures, challenge=key, ref=labels),
        ),
    ]
    lines = [shlex.join(map(str, [*words, "--challenge", key])) for words, _ in steps]
    works = [work for _, work in steps]
    return list(zip(lines, works, strict=True))[: None if _can_draw() else -1]


def _can_draw() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def _overview(folder: Path, keys: tuple[str, ...]) -> str:
    """Where everything is, and what to do next."""
    pictures = ", pictures/ a picture of each case" if _can_draw() else ""
    return f"""Files in {" and ".join(str(folder / key) for key in keys)}:
  data/ synthetic scans, labels/ their reference labels
  maps/ predicted label maps, report.json the run
  scores.json the scores{pictures}
Starters are small networks that were trained on phantoms alone. In lesion-wise scores each component that
is no lesion of the reference counts as a lesion with Dice 0; dice compares whole regions.
Next, with your own networks and scans:
  segcube info                  # the keys of the challenges
  segcube import nnunet MODEL_FOLDER -o weights/NAME --challenge KEY
  segcube infer -i DATA -o MAPS -w weights/NAME
"""
