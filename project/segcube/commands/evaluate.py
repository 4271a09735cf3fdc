"""`segcube evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcube.commands.leave import leave_with


def evaluate(
    pred: Annotated[Path, typer.Option(help="Folder of label maps to score.")],
    ref: Annotated[Path, typer.Option(help="Folder of the true label maps.")],
    challenge: Annotated[str, typer.Option(help="Whose labels and regions they hold.")],
) -> None:
    """Score label maps: Dice of each scored region, case by case."""

    def run() -> None:
        from segcube.challenges import load_challenge
        from segcube.evaluate import evaluate_folder
        from segcube.report import print_scores

        scores = evaluate_folder(pred, ref, load_challenge(challenge))
        print_scores(scores.cases, scores.problems)

    leave_with(run)
