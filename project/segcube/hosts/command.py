"""A host's arguments as a command of segcube."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segcube.hosts.places import BARE_MOUNTS, DEFAULT_PARAMETERS, BareMounts

MBAS_SCRIPTS = ("predict.py", "/workspace/predict.py")
WEIGHTS_OPTIONS = ("--weights", "--checkpoint_dir", "--checkpoint_path", "--additional_files")
"""A host names its weights mount by any of these."""


def command_of(arguments: Sequence[str], root: Path = Path("/")) -> list[str] | None:
    """A host's arguments as arguments of segcube; None where neither arguments nor known mounts are there.

    MBAS's predict.py becomes infer with its folders, and its --gpu a wish. Other commands pass as they are.
    root: where the known mounts lie.
    """
    if not arguments:
        known = (mounts.under(root) for mounts in BARE_MOUNTS)
        mounts = next((m for m in known if m.data.is_dir() and m.output.is_dir()), None)
        return None if mounts is None else _infer_on(mounts)
    if arguments[0] in ("python", "python3") and len(arguments) > 1 and arguments[1] in MBAS_SCRIPTS:
        arguments = arguments[1:]
    if arguments[0] in MBAS_SCRIPTS:
        return _infer_as_mbas(arguments[1:], root)
    if arguments[0] == "infer":
        return ["infer", *_with_defaults(_spelled(arguments[1:]))]
    return list(arguments)


def _infer_on(mounts: BareMounts) -> list[str]:
    options = ["--data_path", str(mounts.data), "--output_path", str(mounts.output)]
    parameters = next((file for file in mounts.parameters if file.is_file()), None)
    if parameters is not None:
        options += ["--parameters_file", str(parameters)]
    if mounts.weights is not None and mounts.weights.is_dir():
        options += ["--weights", str(mounts.weights)]
    return ["infer", *_with_defaults(options)]


def _infer_as_mbas(arguments: Sequence[str], root: Path) -> list[str]:
    """MBAS's options: its folders count; its weights path is its own image's, and its --gpu a wish."""
    data, output = str(root / "input"), str(root / "output")
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if name in ("--input_dir", "--input-dir"):
            data = value if equals else next(words, data)
        elif name in ("--output_dir", "--output-dir"):
            output = value if equals else next(words, output)
    return ["infer", *_with_defaults(["--data_path", data, "--output_path", output])]


def _spelled(arguments: Sequence[str]) -> list[str]:
    """The arguments with every weights option spelled --weights."""
    spelled: list[str] = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        # Only an option: a value may well be the folder `weights`
        is_weights = name[:2] + name[2:].replace("-", "_") in WEIGHTS_OPTIONS
        spelled.append(f"--weights{equals}{value}" if is_weights else argument)
    return spelled


def _with_defaults(options: list[str]) -> list[str]:
    return [*options, "--defaults_file", str(DEFAULT_PARAMETERS)] if DEFAULT_PARAMETERS.is_file() else options
