"""`segcube demo`: synthetic cases through all steps, from a folder of scans to scores and pictures."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from segcube.cli.evaluate import evaluate, picture
from segcube.cli.infer import infer
from segcube.cli.options import challenge_option
from segcube.cli.phantoms import phantoms
from segcube.core import LOG, UsageError, printable

CHALLENGES = ("brats2023-gli", "mbas2024")
"""The challenges of the starters."""
CASES, SEED = 2, 7
MARK = "This folder was written by `segcube demo`.\n"
"""First line of a demo's README.txt."""


def demo(
    folder: Annotated[
        Path,
        typer.Argument(metavar="[DIR]", help="Folder to write to: new, empty, or that of an earlier demo."),
    ] = Path("segcube-demo"),
    challenge: Annotated[
        str | None,
        challenge_option("Key of the challenge to show. Default: one for each starter."),
    ] = None,
) -> int:
    """Predict, score and draw synthetic cases with the starter weights.

    Runs phantoms, infer, evaluate and picture, and prints each command. The starters were trained on
    synthetic cases: the label maps show how the tool works, not how good your networks will be.

    \b
    Example:
      segcube demo
      segcube demo DIR --challenge mbas2024
    """
    from segcube.core import write_atomic

    readme = folder / "README.txt"
    keys = (challenge,) if challenge else CHALLENGES
    _check_own(folder, readme)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(readme, (MARK + _overview(folder, keys)).encode(errors="backslashreplace"))
    for key in keys:
        for line, step in demo_steps(folder / key, key):
            typer.echo(f"\n$ segcube {printable(line)}")
            if code := step():
                return code
    if not _can_draw():
        LOG.warning("no pictures, as matplotlib is not installed: pip install 'segcube[report]'")
    typer.echo("\n" + "\n".join(map(printable, _overview(folder, keys).splitlines())))
    return 0


def _check_own(folder: Path, readme: Path) -> None:
    """Raise UsageError for a folder that holds anything but an earlier demo."""
    if folder.is_dir() and not any(folder.iterdir()):
        return
    is_own = readme.is_file() and readme.read_bytes().startswith(MARK.encode())
    if folder.exists() and not is_own:
        raise UsageError(
            "is not the folder of an earlier demo",
            file=folder,
            expected="a new or an empty folder",
            hint="name another folder",
        )


def demo_steps(place: Path, key: str) -> list[tuple[str, Callable[[], int | None]]]:
    """The command line and the work of each step for one challenge."""
    data, labels, maps = place / "data", place / "labels", place / "maps"
    report, scores, pictures = place / "report.json", place / "scores.json", place / "pictures"
    names = {path: quote(str(path)) for path in (place, data, labels, maps, report, scores, pictures)}
    steps: list[tuple[str, Callable[[], int | None]]] = [
        (
            f"phantoms {names[place]} --challenge {key} --count {CASES} --seed {SEED}",
            partial(phantoms, place, key, CASES, SEED),
        ),
        (
            f"infer -i {names[data]} -o {names[maps]} --challenge {key} --report {names[report]}",
            partial(infer, data, maps, challenge=key, report=report),
        ),
        (
            f"evaluate --maps {names[maps]} --ref {names[labels]} --challenge {key} --json {names[scores]}",
            partial(evaluate, maps, labels, key, json=scores),
        ),
    ]
    if _can_draw():
        line = f"picture {names[pictures]} -i {names[data]} --maps {names[maps]} --challenge {key}"
        steps.append((line, partial(picture, pictures, data, maps, key)))
    return steps


def _can_draw() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def _overview(folder: Path, keys: tuple[str, ...]) -> str:
    """Where everything is, and what to do next."""
    places = "".join(
        f"  {folder / key}\n"
        "    data/ synthetic scans, labels/ their reference labels\n"
        "    maps/ predicted label maps, pictures/ a picture of each case\n"
        "    report.json the run, scores.json the scores\n"
        for key in keys
    )
    return (
        f"Files:\n{places}"
        "Next, with your own networks and scans:\n"
        "  segcube info                  # the keys of the challenges\n"
        "  segcube import nnunet MODEL_FOLDER -o weights/NAME --challenge KEY\n"
        "  segcube infer -i DATA -o MAPS -w weights/NAME\n"
    )
