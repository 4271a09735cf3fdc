"""Commands and groups: common options, former spellings of options, and sections of the help."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, NoReturn

import typer
import typer.core
import typer.main

from segcube.cli.base.process import run_command
from segcube.core import DEBUG_VARIABLE

RENAMED = {
    "--pred": "--maps",
    "--labels": "--ref",
    "--flips": "--mirrors",
    "--no-flips": "--no-mirrors",
    "--weights": "--member-weights",
    "--json": "--scores",
}
"""Former spellings of options and today's, wherever a command has only the latter; a message names both."""
TYPES = {"str": "TEXT", "path": "PATH", "Path": "PATH", "int": "N", "int range": "N", "float range": "X"}
"""What the help prints for the type of an option's value."""
CONTAINER = {"--data-path": "--data", "--output-path": "--out"}
"""What hosts pass to the container: accepted without a message."""
COMMON = "Common options"
SECTIONS = {
    "Use": ("infer", "demo", "info", "doctor"),
    "Train": ("plan", "prepare", "train", "diagnose", "validate", "collect"),
    "Prepare": ("phantoms", "synthesize", "import", "compile", "soup", "tune"),
    "Evaluate": ("evaluate", "rank", "picture"),
    "Submit": ("check", "pack"),
}
"""Sections of `segcube --help`, and their commands in order."""


def _common(
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", envvar="SEGCUBE_QUIET", help="Print only warnings and errors.")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "-v",
            "--verbose",
            envvar="SEGCUBE_VERBOSE",
            help="Print details, such as the seconds of each step.",
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", envvar=DEBUG_VARIABLE, help="Print the traceback of unexpected errors."),
    ] = False,
) -> None:
    """Declare the options of every command."""


def _common_options() -> list[Any]:
    holder = typer.Typer(add_completion=False)
    holder.command()(_common)
    return typer.main.get_command(holder).params


COMMON_OPTIONS = _common_options()


class Command(typer.core.TyperCommand):
    """A command with the common options, which also accepts the former spellings of its options."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.params = [*self.params, *COMMON_OPTIONS]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments with today's spellings of the options."""
        end = args.index("--") if "--" in args else len(args)
        try:
            return super().parse_args(ctx, [*self._current(args[:end], ctx.resilient_parsing), *args[end:]])
        except typer.BadParameter as error:
            # typer's parsers put pydantic's prefix before some messages
            error.message = error.message.replace("Value error, ", "", 1)
            raise

    def _current(self, args: list[str], is_completion: bool) -> Iterator[str]:
        for word in args:
            name, equals, value = word.partition("=")
            current = self.current_spelling(name)
            if RENAMED.get(name.replace("_", "-")) == current and not is_completion:
                typer.echo(f"warning: {name} is deprecated: use {current}", err=True)
            yield f"{current}{equals}{value}"

    def current_spelling(self, option: str) -> str:
        """Today's spelling of an option; what the command does not know is returned as it is."""
        known = {name for parameter in self.params for name in (*parameter.opts, *parameter.secondary_opts)}
        if option in known or not option.startswith("--"):
            return option
        hyphened = option.replace("_", "-")
        spellings = (hyphened, CONTAINER.get(hyphened), RENAMED.get(hyphened))
        return next((spelling for spelling in spellings if spelling in known), option)

    def invoke(self, ctx: Any) -> NoReturn:
        """Run the command and exit with its code; the common options decide which messages it prints."""
        from segcube.core import console_logging

        quiet, verbose, debug = (ctx.params.pop(name) for name in ("quiet", "verbose", "debug"))
        if debug:
            # Worker processes read it as well
            os.environ[DEBUG_VARIABLE] = "1"
        with console_logging(quiet, verbose):
            run_command(partial(super().invoke, ctx), ctx.command_path)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words of the usage line, without typer's braces around required arguments."""
        return [re.sub("[{}]", "", piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options, the common ones in a section of their own."""
        common = {*(option.name for option in COMMON_OPTIONS), "help"}
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": [], COMMON: []}
        for parameter in self.get_params(ctx):
            is_argument = parameter.param_type_name == "argument"
            title = "Arguments" if is_argument else COMMON if parameter.name in common else "Options"
            if record := parameter.get_help_record(ctx):
                name = record[0].partition(" <")[0] if is_argument else _plain_types(record[0])
                sections[title].append((name, record[1]))
        _write_sections(sections, formatter)


def _plain_types(option: str) -> str:
    """An option with the type of its value, such as `--seed N` where typer has `--seed <int range>`."""
    return re.sub(r"<(?:list\[)?([^\]>]+)\]?>", lambda found: TYPES.get(found[1], found[1]), option)


class Group(typer.core.TyperGroup):
    """A group whose help lists its commands in sections."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, those of segcube itself by SECTIONS and in its order."""
        width = formatter.width - 6 - max(map(len, self.commands))
        sections = SECTIONS if ctx.parent is None else {}
        listed = [name for names in sections.values() for name in names]
        others = tuple(name for name in self.commands if name not in listed)
        rows = {
            title: [
                (name, self.commands[name].get_short_help_str(width))
                for name in names
                if name in self.commands
            ]
            for title, names in {**sections, "Commands": others}.items()
        }
        _write_sections(rows, formatter)


def _write_sections(sections: Mapping[str, Sequence[tuple[str, str]]], formatter: Any) -> None:
    for title, rows in sections.items():
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)
