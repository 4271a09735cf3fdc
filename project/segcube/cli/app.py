"""The command line: every command by its name."""

from __future__ import annotations

import atexit
import gc
import os
import signal
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from segcube import __version__
from segcube.cli.check import check
from segcube.cli.evaluate import evaluate, picture, rank
from segcube.cli.import_ import import_
from segcube.cli.infer import infer
from segcube.cli.info import info
from segcube.cli.leave import handle_ctrl_c, let_go_of_broken_streams, tell_interrupted
from segcube.cli.models import compile_, soup, tune
from segcube.cli.pack import pack
from segcube.cli.phantoms import phantoms

GARBAGE = 10_000
"""Objects made before the young ones are looked through for garbage; Python's own number is 700."""

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


app.command()(infer)
app.command()(phantoms)
app.command()(evaluate)
app.command()(picture)
app.command()(rank)
app.command()(tune)
app.add_typer(check)
app.command("compile")(compile_)
app.command()(pack)
app.add_typer(import_)
app.add_typer(soup)
app.command()(info)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line and end the process with its exit code; None for the process's own arguments.

    What imports make lives to the end, so that it is not looked through for garbage while it is made, nor
    taken down piece by piece: with torch that takes a second of a short run.
    """
    gc.set_threshold(GARBAGE)
    handle_ctrl_c()
    try:
        app(arguments)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    except KeyboardInterrupt:
        code = tell_interrupted()
    else:
        code = 0
    # A Ctrl-C from here on ends the process at once, without a traceback
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
    let_go_of_broken_streams()
    os._exit(code)
