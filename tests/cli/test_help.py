from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from segcube.cli.app import app


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command and group with its name, those of `import` left out."""
    yield " ".join(path), command
    for name, child in getattr(command, "commands", {}).items():
        if name != "import":
            yield from commands(child, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example(name):
    _, _, example = COMMANDS[name].help.partition("Example:\n")
    assert f"  segcube {name}" in example


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained_with_its_default(name):
    for parameter in COMMANDS[name].params:
        assert parameter.help.endswith("."), parameter.name
        if parameter.default is None and not parameter.required:
            assert "Default:" in parameter.help, parameter.name
