"""`segcube rank`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcube.commands.leave import leave_with


def rank(
    files: Annotated[list[Path], typer.Argument(help="Score files of `segcube evaluate --json`.")],
    json: Annotated[Path | None, typer.Option(help="File for the whole ranking.")] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="A metric that counts, once for each; else the profile's.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random permutations.")] = 0,
) -> None:
    """Rank submissions as the organisers do.

    Each pair is put to a permutation test, and the cases that part them are named.
    """

    def run() -> None:
        from segcube.evaluate.ranking import print_ranking, rank_files
        from segcube.volumes import expect_replaceable, write_whole

        expect_replaceable(json, "a ranking of segcube", (b'"profile"', b'"permutations"'))
        ranking = rank_files(files, metric or (), seed)
        if json is not None:
            write_whole(json, ranking.as_json())
        print_ranking(ranking)

    leave_with(run)
