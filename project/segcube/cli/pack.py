"""`segcube pack`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from segcube.cli.leave import leave_with

UNKNOWN = "N/A"


def pack(
    weights: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a submission.")],
    image: Annotated[str, typer.Option(help="Name of the image that you push, with registry and tag.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write; packed/NAME, if left out.")] = None,
    build: Annotated[
        bool, typer.Option("--build", help="Build the image, with this submission inside.")
    ] = False,
    torch: Annotated[Literal["cuda", "cpu"], typer.Option(help="With --build: torch's build.")] = "cuda",
    source: Annotated[
        str, typer.Option(help="With --build: URL of your sources, for the label.")
    ] = "unpublished",
    authors: Annotated[str, typer.Option(help="For the orchestrator's entry.")] = UNKNOWN,
    paper: Annotated[str, typer.Option(help="For the orchestrator's entry: URL of your paper.")] = UNKNOWN,
    manuscript: Annotated[
        str, typer.Option(help="For the orchestrator's entry: the challenge's paper.")
    ] = UNKNOWN,
    rank: Annotated[str, typer.Option(help="For the orchestrator's entry.")] = UNKNOWN,
    zenodo: Annotated[
        str | None, typer.Option(help="Zenodo record, if the weights are not in the image.")
    ] = None,
    device: Annotated[str, typer.Option(help="For the dry run: auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    """Check and pack a submission to hand it in.

    For Synapse, MedPerf, MLCube and the BraTS orchestrator.
    """

    def run() -> int:
        from segcube.release.check import print_report
        from segcube.release.pack import BuildArguments, Order, Paper, carry_out

        about = Paper(authors, paper, manuscript, rank, zenodo)
        arguments = BuildArguments(torch, source) if build else None
        report, packed = carry_out(Order(weights, image, out, about, arguments, device))
        print_report(report)
        if packed is not None:
            typer.echo(packed.told(image if build else None))
        return report.exit_code()

    leave_with(run)
