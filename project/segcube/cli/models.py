"""`segcube compile`, `segcube soup` and `segcube tune`: changes of a submission."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from segcube.cli.base.command import Command, Group
from segcube.cli.base.options import Data, Device, Mirrors, Out, Profile, Ref, Submission, challenge_option
from segcube.core import LOG, EnvironmentFault, printable


def compile_(
    weights: Submission,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder for the compiled networks. Default: DIR itself."),
    ] = None,
) -> None:
    """Compile the networks of a submission for OpenVINO.

    Writes openvino.yaml and one .openvino file for each member and window size, and checks each network
    against torch. Without them, every run on a CPU compiles the networks anew.

    \b
    Example:
      segcube compile weights/NAME
    """
    from segcube.backends.openvino import NoGraphs, compile_submission
    from segcube.spec.submission import load_for_challenge

    place = out or weights
    try:
        size = compile_submission(load_for_challenge(weights), place, LOG.info)
    except NoGraphs as error:
        raise EnvironmentFault(str(error), hint="run it with --backend torch") from error
    typer.echo(printable(f"{place}: compiled networks of {size / 1e6:.2f} MB"))


soup = typer.Typer(name="soup", cls=Group, no_args_is_help=True, rich_markup_mode=None)


@soup.callback()
def start() -> None:
    """Average the weights of a submission's members into one network.

    All members must have the same architecture. The result runs as fast as one member.

    \b
    Example:
      segcube soup uniform weights/NAME -o weights/SOUP
    """


Stage: TypeAlias = Annotated[
    str | None, typer.Option(help="Stage of a cascade whose members are averaged. Default: the last one.")
]


@soup.command(cls=Command)
def uniform(weights: Submission, out: Out, stage: Stage = None) -> None:
    """Average all members.

    \b
    Example:
      segcube soup uniform weights/NAME -o weights/SOUP
    """
    from segcube.tools.soup import read_candidates, uniform_soup

    candidates = read_candidates(weights, stage)
    uniform_soup(candidates, out)
    typer.echo(printable(f"{out}: the mean of {len(candidates.members)} members"))


@soup.command(cls=Command)
def greedy(
    weights: Submission,
    out: Out,
    data: Data,
    ref: Ref,
    stage: Stage = None,
    metric: Annotated[
        str, typer.Option(help="Metric of `segcube evaluate` to improve, such as dice or hd95.")
    ] = "dice",
    profile: Annotated[str, typer.Option(help="Scoring rules, as in `segcube evaluate`.")] = "plain",
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File that records every trial. Default: OUT.soup.jsonl, beside the new folder.",
        ),
    ] = None,
    device: Device = "auto",
    mirrors: Mirrors = True,
) -> None:
    """Average the members that improve a score on validation cases.

    Starts with the best member and adds each further one if the mean of their weights scores better. An
    interrupted search continues from its ledger.

    \b
    Example:
      segcube soup greedy weights/NAME -o weights/SOUP -i data --ref labels
    """
    from segcube.tools.soup import Validation, greedy_soup, read_candidates

    candidates = read_candidates(weights, stage)
    settings = {"device": device, "flips": mirrors}
    validation = Validation(data, ref, candidates.loaded.challenge, profile, metric, settings, LOG.info)
    file = ledger or out.with_name(f"{out.absolute().name}.soup.jsonl")
    result = greedy_soup(candidates, validation, out, file)
    kept = ", ".join(result.soup)
    typer.echo(printable(f"{out}: the mean of {kept}, {metric} {result.score:.4f}"))


def tune(
    probabilities: Annotated[
        Path | None,
        typer.Option(
            help="Folder of probabilities from `segcube infer --save-probabilities`. Default: none.",
            show_default=False,
        ),
    ] = None,
    ref: Annotated[
        Path | None,
        typer.Option(
            help="With --probabilities: folder of reference label maps. Default: none.", show_default=False
        ),
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of a training run, in place of --probabilities and --ref; repeatable: weights of "
            "several runs are tuned by region. Default: none.",
            show_default=False,
        ),
    ] = None,
    profile: Profile = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "-w", "--weights", help="Submission to tune. Default: none, tune from thresholds of 0.5."
        ),
    ] = None,
    challenge: Annotated[
        str | None,
        challenge_option(
            "Key of a challenge, or a YAML file that defines one. Default: the submission's, else the one "
            "that the file names fit."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="YAML file to write. Default: print it."),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="Folds of the cross-validation, by patient.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the folds.")] = 0,
) -> None:
    """Tune thresholds, component filters and member weights.

    Searches for the values with the best score in cross-validation over patients, and reports the gain to
    expect on new cases. A gain is reliable if it is at least 0.001 and larger than its standard error over
    patients; without one, all values stay as they are. The output is a block of YAML that replaces the
    `postprocess` of submission.yaml.

    Of training runs (--run), the out-of-fold probabilities of `segcube validate --save-probabilities` are
    taken; `segcube collect --tuned` applies the block.

    \b
    Example:
      segcube infer -i data -o maps --save-probabilities saved --each-member
      segcube tune --probabilities saved --ref labels -w weights/NAME -o block.yaml
      segcube tune --run runs/base --run runs/medium -o block.yaml
    """
    from segcube.core import write_atomic
    from segcube.formats.nifti import check_replaceable
    from segcube.tools.tune import TuneRequest, print_tuned, read_inputs, tune_inputs, tuned_block

    check_replaceable(out, "a block that segcube tuned", (b"postprocess:",))
    request = TuneRequest(probabilities, ref, weights, challenge, profile, folds, seed, tuple(run or ()))
    inputs = read_inputs(request)
    for notice in inputs.notices:
        LOG.warning(notice)
    tuned = tune_inputs(inputs, request, LOG.info)
    print_tuned(tuned, inputs)
    block = tuned_block(tuned, inputs)
    if out is None:
        typer.echo(block, nl=False)
    else:
        write_atomic(out, block.encode())
