"""`make docs`: write docs/cli.md from the commands and their options."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer

from segcube.cli.app import app
from segcube.cli.base.command import COMMON_OPTIONS

PAGE = Path(__file__).with_name("cli.md")
INTRODUCTION = """# Commands

`make docs` writes this page from the commands; `segcube COMMAND --help` prints the same.
[running.md](running.md) explains exit codes, settings and variables. Every command also has these options:
"""


def commands(command: Any, words: str) -> Iterator[tuple[str, Any]]:
    """Every command below a group that does something itself, with the words that start it."""
    if not hasattr(command, "commands"):
        yield words, command
        return
    for name, child in command.commands.items():
        yield from commands(child, f"{words} {name}")


def cell(text: str) -> str:
    """A text as one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def values(annotation: Any) -> list[str]:
    """The values that an option takes, where they are listed in its type."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [value for part in get_args(annotation) for value in values(part)]


def row(parameter: Any) -> str:
    """A parameter as a row: its spellings, what it takes, its help, default and variable."""
    argument = parameter.param_type_name == "argument"
    spellings = [parameter.display_name_raw] if argument else [*parameter.opts, *parameter.secondary_opts]
    parts = [cell(parameter.help or "")]
    if listed := values(parameter.type_descriptor.annotation):
        parts.append(f"Values: {', '.join(f'`{value}`' for value in listed)}.")
    if parameter.required:
        parts.append("Required.")
    elif (
        parameter.default not in (None, "")
        and parameter.default is not False
        and "Default:" not in (parameter.help or "")
    ):
        default = parameter.opts[0] if parameter.default is True else parameter.default
        parts.append(f"Default: `{default}`.")
    if parameter.envvar:
        names = [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar
        parts.append(f"Variable: {', '.join(f'`{name}`' for name in names)}.")
    return f"| {', '.join(f'`{spelling}`' for spelling in spellings)} | {' '.join(parts)} |"


def options(parameters: list[Any]) -> str:
    """A table of parameters."""
    return "\n".join(["| option | meaning |", "|---|---|", *map(row, parameters)])


def describe(words: str, command: Any) -> str:
    """The section of one command: its help, its example, its parameters."""
    text, _, example = inspect.cleandoc(command.help or "").partition("\b\n")
    paragraphs = "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))
    lines = [line.strip() for line in example.splitlines()[1:] if line.strip()]
    code = "\n".join(["```sh", *lines, "```"]) if lines else ""
    table = options([parameter for parameter in command.params if parameter not in COMMON_OPTIONS])
    return "\n\n".join(part for part in (f"## {words}", paragraphs, code, table) if part)


def page() -> str:
    """The whole page."""
    found = list(commands(typer.main.get_command(app), "segcube"))
    listed = "\n".join(
        f"| [`{words}`](#{words.replace(' ', '-')}) | {cell((command.help or '').split(chr(10))[0])} |"
        for words, command in found
    )
    overview = f"| command | does |\n|---|---|\n{listed}"
    head = [INTRODUCTION.strip(), options(COMMON_OPTIONS), overview]
    return "\n\n".join([*head, *(describe(*entry) for entry in found)]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    print(PAGE)
