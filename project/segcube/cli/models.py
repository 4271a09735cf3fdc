"""`segcube tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from segcube.cli.leave import leave_with
from segcube.core import EnvironmentFault, printable


def compile_(
    weights: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a submission.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the graphs; DIR, if left out.")] = None,
) -> None:
    """Compile a submission's networks for OpenVINO.

    A graph a member lies beside the weights then, and runs on a CPU need no torch.
    """

    def run() -> None:
        from segcube.backends.openvino import NoGraphs, compile_submission
        from segcube.spec.submission import load_for

        def log(line: str) -> None:
            typer.echo(printable(line), err=True)

        place = out or weights
        try:
            size = compile_submission(load_for(weights), place, log)
        except NoGraphs as error:
            raise EnvironmentFault(str(error), hint="run it with --backend torch") from error
        typer.echo(printable(f"{place}: graphs of {size / 1e6:.2f} MB"))

    leave_with(run)


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
        from segcube.tools.soup import open_pot, uniform_soup

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
        from segcube.tools.soup import Validation, greedy_soup, open_pot

        def log(line: str) -> None:
            typer.echo(printable(line), err=True)

        pot = open_pot(weights, stage)
        settings = {"device": device, "flips": flips}
        validation = Validation(data, labels, pot.loaded.challenge, profile, metric, settings, log)
        file = ledger or out.with_name(f"{out.absolute().name}.soup.jsonl")
        result = greedy_soup(pot, validation, out, file)
        told = f"{out}: the mean of {', '.join(result.kept)}, {metric} {result.score:.4f}"
        typer.echo(printable(told))

    leave_with(run)


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
        from segcube.core import write_whole
        from segcube.formats.nifti import expect_replaceable
        from segcube.tools.tune import TuneRequest, print_tuned, read_inputs, tune_inputs, tuned_block

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
