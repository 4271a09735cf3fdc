"""The commands: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from segcube import __version__, options
from segcube.errors import ExitCode, SegcubeError

app = typer.Typer(
    name="segcube",
    help="Run trained segmentation folds as a challenge submission.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def start(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Run trained segmentation folds as a challenge submission."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def infer(
    data_path: options.DataPath,
    output_path: options.OutputPath,
    weights: options.Weights = None,
    parameters_file: options.ParametersFile = None,
    challenge: options.ChallengeKey = None,
    device: options.Device = None,
    backend: options.BackendOf = None,
    precision: options.PrecisionOf = None,
    flips: options.Flips = None,
    report: options.Report = None,
    resume: options.Resume = None,
    shard: options.Shard = None,
    on_error: options.OnErrorOf = None,
    save_probabilities: options.SaveProbabilities = None,
    each_member: options.EachMember = False,
    quiet: options.Quiet = False,
) -> None:
    """Predict a folder of cases: label maps by the challenge's conventions."""
    given = {"challenge": challenge, "device": device, "backend": backend, "precision": precision}
    given |= {"flips": flips, "resume": resume, "shard": shard, "on_error": on_error}
    named = {key: value for key, value in given.items() if value is not None}

    def run() -> int:
        from segcube.runs import Request, run_folder
        from segcube.settings import settings_of

        settings = settings_of(parameters_file, named)
        return run_folder(
            Request(data_path, output_path, weights, settings, report, save_probabilities, each_member, quiet)
        )

    _leave_with(run)


@app.command()
def phantoms(
    out: Annotated[Path, typer.Argument(help="Folder for data/ and labels/.")],
    challenge: Annotated[str, typer.Option(help="Whose names and geometry the cases have.")],
    count: Annotated[int, typer.Option(min=1, help="How many cases.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same cases.")] = 0,
) -> None:
    """Make cases with known labels: no patient, a challenge's names and geometry."""

    def run() -> None:
        from segcube.challenges import load_challenge
        from segcube.harness import write_phantoms

        for name in write_phantoms(load_challenge(challenge), count, seed, out):
            typer.echo(name)

    _leave_with(run)


@app.command()
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

    _leave_with(run)


@app.command()
def picture(
    out: Annotated[Path, typer.Argument(help="Folder for the pictures.")],
    data: Annotated[Path, typer.Option(help="Folder of cases.")],
    maps: Annotated[Path, typer.Option(help="Folder of their label maps.")],
    challenge: Annotated[str, typer.Option(help="Whose names and labels they have.")],
) -> None:
    """Draw each case with its label map, as a PNG."""

    def run() -> None:
        from segcube.challenges import load_challenge
        from segcube.report.pictures import draw_folder

        for file in draw_folder(data, maps, load_challenge(challenge), out):
            typer.echo(file)

    _leave_with(run)


@app.command()
def info(
    folder: Annotated[Path | None, typer.Argument(help="Folder of a submission.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Tell a submission's stages, windows and members; without a folder, the challenges that are known."""

    def run() -> None:
        from segcube.report import print_challenges, print_submission

        if folder is None:
            print_challenges(as_json)
        else:
            print_submission(folder, as_json)

    _leave_with(run)


def _leave_with(task: Any) -> None:
    """Run a task and exit with its code; a known error is one line on stderr."""
    try:
        code = task()
    except ModuleNotFoundError as error:
        typer.echo(
            f"error: {error}; install segcube with its extras: pip install 'segcube[report,train]'", err=True
        )
        code = ExitCode.USAGE
    except SegcubeError as error:
        typer.echo(f"error: {error}", err=True)
        code = error.exit_code
    raise typer.Exit(int(code or 0))


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
