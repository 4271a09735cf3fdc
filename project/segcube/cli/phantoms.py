"""`segcube phantoms`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcube.cli.options import Challenge
from segcube.core import printable


def phantoms(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write data/ and labels/ to.")],
    challenge: Challenge,
    count: Annotated[int, typer.Option(min=1, help="Number of cases.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same seed writes the same cases.")] = 0,
) -> None:
    """Write synthetic cases with known labels.

    The images show no patient: use them to try out a submission, not to measure its accuracy.

    \b
    Example:
      segcube phantoms demo --challenge brats2023-gli --count 2
      segcube infer -i demo/data -o demo/maps
    """
    from segcube.phantoms import write_phantoms
    from segcube.spec.challenges import load_challenge

    for name in write_phantoms(load_challenge(challenge), count, seed, out):
        typer.echo(printable(name))
