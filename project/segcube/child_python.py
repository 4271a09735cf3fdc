"""Python processes that segcube starts: they take no module from the current folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def python_command(*arguments: str) -> list[str]:
    """Command line of this interpreter, by its absolute path.

    -P keeps the current folder, and that of a script, off the path where modules are looked for.
    """
    return [str(Path(sys.executable).absolute()), "-P", *arguments]


def python_environment() -> dict[str, str]:
    """This process's environment, with this process's packages on the path.

    Empty and relative entries of the path stand for the current folder and are left out.
    """
    path = [entry for entry in sys.path if Path(entry).is_absolute()]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path), "PYTHONSAFEPATH": "1"}
