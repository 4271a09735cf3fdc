"""`segcube soup`: several members of a submission become one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from segcube.commands.leave import leave_with
from segcube.errors import printable

soup = typer.Typer(
    name="soup",
    help="Average the weights of a submission's members into one network.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Weights: TypeAlias = Annotated[
    Path, typer.Argument(help="Folder of a submission, the members of one branch its candidates.")
]
Out: TypeAlias = Annotated[Path, typer.Option(help="Folder of the new submission: new, or empty.")]
Stage: TypeAlias = Annotated[str | None, typer.Option(help="Of a cascade; else the last.")]


@soup.command()
def uniform(weights: Weights, out: Out, stage: Stage = None) -> None:
    """Average all members."""

    def run() -> None:
        from segcube.soups import open_pot, uniform_soup

        pot = open_pot(weights, stage)
        uniform_soup(pot, out)
        typer.echo(printable(f"{out}: the mean of {len(pot.members)} members"))

    leave_with(run)


@soup.command()
def greedy(
    weights: Weights,
    out: Out,
    data: Annotated[Path, typer.Option(help="Folder of validation cases.")],
    labels: Annotated[Path, typer.Option(help="Folder of their true label maps.")],
    stage: Stage = None,
    metric: Annotated[str, typer.Option(help="Of `segcube evaluate`, such as dice or hd95.")] = "dice",
    profile: Annotated[str, typer.Option(help="Whose rules score it.")] = "plain",
    ledger: Annotated[Path | None, typer.Option(help="What was tried; else beside the new folder.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    flips: Annotated[bool, typer.Option("--flips/--no-flips", help="Test-time mirrors.")] = True,
) -> None:
    """Keep each member that helps.

    From the best one on; a run that was ended goes on from its ledger.
    """

    def run() -> None:
        from segcube.soups import Validation, greedy_soup, open_pot

        def tell(line: str) -> None:
            typer.echo(printable(line), err=True)

        pot = open_pot(weights, stage)
        settings = {"device": device, "flips": flips}
        validation = Validation(data, labels, pot.loaded.challenge, profile, metric, settings, tell)
        file = ledger or out.with_name(f"{out.absolute().name}.soup.jsonl")
        result = greedy_soup(pot, validation, out, file)
        told = f"{out}: the mean of {', '.join(result.kept)}, {metric} {result.score:.4f}"
        typer.echo(printable(told))

    leave_with(run)
