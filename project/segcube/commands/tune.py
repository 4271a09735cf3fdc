"""`segcube tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcube.commands.leave import leave_with
from segcube.errors import printable


def tune(
    probabilities: Annotated[Path, typer.Option(help="Folder of `infer --save-probabilities`.")],
    ref: Annotated[Path, typer.Option(help="Folder of the true label maps.")],
    profile: Annotated[str | None, typer.Option(help="Whose score is raised; else the challenge's.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Folder of the submission that is tuned.")] = None,
    challenge: Annotated[
        str | None, typer.Option(help="Whose labels they are; else the submission's, or the names decide.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File for the tuned block; else stdout.")] = None,
    folds: Annotated[int, typer.Option(min=2, help="Parts that the patients are dealt into.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="The same seed deals the same folds.")] = 0,
) -> None:
    """Tune thresholds, filters and weights.

    Cross-validated over patients: it tells what unseen cases gain, and keeps to your own values otherwise.
    """

    def run() -> None:
        from segcube.evaluate.tuning import TuneRequest, print_tuned, read_inputs, tune_inputs, tuned_block
        from segcube.volumes import expect_replaceable, write_whole

        expect_replaceable(out, "a block that segcube tuned", (b"postprocess:",))
        request = TuneRequest(probabilities, ref, weights, challenge, profile, folds, seed)
        inputs = read_inputs(request)
        for notice in inputs.notices:
            typer.echo(printable(notice), err=True)
        tuned = tune_inputs(inputs, request, lambda line: typer.echo(line, err=True))
        print_tuned(tuned, inputs)
        block = tuned_block(tuned, inputs)
        if out is None:
            typer.echo(block, nl=False)
        else:
            write_whole(out, block.encode())

    leave_with(run)
