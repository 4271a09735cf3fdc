"""The command line: all commands by name, and the process that runs one."""

from __future__ import annotations

import atexit
import gc
import os
import signal
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from segcube import __version__
from segcube.cli.base.command import Command, Group
from segcube.cli.base.process import (
    discard_broken_streams,
    handle_ctrl_c,
    ignore_closed_pipes,
    report_error,
    report_interrupted,
)
from segcube.cli.check import check
from segcube.cli.demo import demo
from segcube.cli.doctor import doctor, info
from segcube.cli.evaluate import evaluate, picture, rank
from segcube.cli.import_ import import_
from segcube.cli.infer import infer
from segcube.cli.models import compile_, soup, tune
from segcube.cli.pack import pack
from segcube.cli.phantoms import phantoms
from segcube.cli.plan import plan
from segcube.cli.synthesize import synthesize
from segcube.cli.train import collect, diagnose, prepare, train, validate
from segcube.core import DEBUG_VARIABLE

GC_THRESHOLD = 10_000
"""Allocations before a garbage collection, 700 in Python: imports allocate much and free nothing."""

app = typer.Typer(
    name="segcube",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def start(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Print the traceback of unexpected errors; also after a command.")
    ] = False,
) -> None:
    """Turn trained segmentation folds into a challenge submission, and run it.

    A submission is a folder with submission.yaml and the weights of its networks. `segcube COMMAND -h` shows
    the options of a command with an example.

    \b
    Example:
      segcube import nnunet MODEL_FOLDER -o weights/NAME --challenge brats2024-ssa
      segcube infer -i data -o maps -w weights/NAME
      segcube evaluate --maps maps --ref labels --challenge brats2024-ssa
    """
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"
    if version:
        typer.echo(__version__)
        raise typer.Exit


app.command(cls=Command)(infer)
app.command(cls=Command)(demo)
app.command(cls=Command)(info)
app.command(cls=Command)(doctor)
app.command(cls=Command)(phantoms)
app.command(cls=Command)(plan)
app.command(cls=Command)(prepare)
app.command(cls=Command)(train)
app.command(cls=Command)(validate)
app.command(cls=Command)(diagnose)
app.command(cls=Command)(collect)
app.add_typer(synthesize)
app.add_typer(import_)
app.command("compile", cls=Command)(compile_)
app.add_typer(soup)
app.command(cls=Command)(tune)
app.command(cls=Command)(evaluate)
app.command(cls=Command)(rank)
app.command(cls=Command)(picture)
app.add_typer(check)
app.command(cls=Command)(pack)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line and end the process with its exit code; None for the process's own arguments.

    Ends with os._exit after the exit handlers: to tear down torch's modules takes a second, and the system
    frees the memory anyway.
    """
    gc.set_threshold(GC_THRESHOLD)
    # To search all installed packages for plugins of pydantic takes 25 ms
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # matplotlib raises at its import for a value that it does not know; pictures need no other one
    os.environ["MPLBACKEND"] = "agg"
    handle_ctrl_c()
    ignore_closed_pipes()
    try:
        app(arguments)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except KeyboardInterrupt:
        code = report_interrupted()
    except Exception as error:
        code = report_error(error)
    else:
        code = 0
    # From here on Ctrl-C ends the process at once, without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
    discard_broken_streams()
    os._exit(code)
