"""How a command ends."""

from __future__ import annotations

from collections.abc import Callable

import typer

from segcube.errors import ExitCode, SegcubeError


def leave_with(task: Callable[[], int | None]) -> None:
    """Run a task and exit with its code, 0 for None; a known error is one line on stderr.

    Raises typer.Exit, always.
    """
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
