"""The command line: every command by its name."""

from __future__ import annotations

from typing import Annotated

import typer

from segcube import __version__, commands

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


app.command()(commands.infer)
app.command()(commands.phantoms)
app.command()(commands.evaluate)
app.command()(commands.picture)
app.command()(commands.rank)
app.command()(commands.tune)
app.add_typer(commands.check)
app.command("compile")(commands.compile_)
app.command()(commands.pack)
app.add_typer(commands.import_)
app.add_typer(commands.soup)
app.command()(commands.info)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
