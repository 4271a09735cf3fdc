"""Who starts the image, and how: every host's arguments, mounts and limits, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MBAS_SCRIPTS = ("predict.py", "/workspace/predict.py")
WEIGHTS_OPTIONS = ("--weights", "--checkpoint_dir", "--checkpoint_path", "--additional_files")
"""A host names its weights mount by any of these."""


@dataclass(frozen=True)
class Mounts:
    """Where a host that passes no arguments mounts its folders."""

    name: str
    data: Path
    output: Path
    parameters: tuple[Path, ...] = ()
    """The first that exists is read."""
    weights: Path | None = None
    """Taken when it is mounted, empty or not: an empty one ends the run."""


BARE_MOUNTS = (
    Mounts(
        name="MedPerf 0.2 and later",
        data=Path("/mlcommons/volumes/data"),
        output=Path("/mlcommons/volumes/predictions"),
        parameters=(
            Path("/mlcommons/volumes/parameters/parameters_file.yaml"),
            Path("/mlcommons/volumes/parameters/parameters.yaml"),
        ),
        weights=Path("/mlcommons/volumes/additional_files"),
    ),
    Mounts(name="BraTS 2025 and later, MBAS, a person", data=Path("/input"), output=Path("/output")),
)
"""In the order in which they are looked for."""

DEFAULT_PARAMETERS = Path(__file__).parents[2] / "mlcube" / "workspace" / "parameters.yaml"
"""What a container runs by when its host names no parameters."""


def command_of(arguments: Sequence[str]) -> list[str] | None:
    """A host's arguments as arguments of segcube; None where neither arguments nor known mounts are there.

    MBAS's predict.py becomes infer with its folders, and its --gpu a wish. Other commands pass as they are.
    """
    if not arguments:
        mounts = next((m for m in BARE_MOUNTS if m.data.is_dir() and m.output.is_dir()), None)
        return None if mounts is None else _infer_on(mounts)
    if arguments[0] in ("python", "python3") and len(arguments) > 1 and arguments[1] in MBAS_SCRIPTS:
        arguments = arguments[1:]
    if arguments[0] in MBAS_SCRIPTS:
        return _infer_as_mbas(arguments[1:])
    if arguments[0] == "infer":
        return ["infer", *_with_parameters(_spelled(arguments[1:]))]
    return list(arguments)


def _infer_on(mounts: Mounts) -> list[str]:
    options = ["--data_path", str(mounts.data), "--output_path", str(mounts.output)]
    parameters = next((file for file in mounts.parameters if file.is_file()), None)
    if parameters is not None:
        options += ["--parameters_file", str(parameters)]
    if mounts.weights is not None and mounts.weights.is_dir():
        options += ["--weights", str(mounts.weights)]
    return ["infer", *_with_parameters(options)]


def _infer_as_mbas(arguments: Sequence[str]) -> list[str]:
    """MBAS's options: its folders count; its weights path is its own image's, and its --gpu a wish."""
    data, output = "/input", "/output"
    words = iter([part for word in arguments for part in word.split("=", 1)])
    for word in words:
        if word == "--input_dir":
            data = next(words, data)
        elif word == "--output_dir":
            output = next(words, output)
    return ["infer", *_with_parameters(["--data_path", data, "--output_path", output])]


def _option(argument: str) -> str:
    """An option's name in the spelling with underscores."""
    return "--" + argument.partition("=")[0].removeprefix("--").replace("-", "_")


def _spelled(arguments: Sequence[str]) -> list[str]:
    """The arguments with every weights option spelled --weights."""
    spelled: list[str] = []
    for argument in arguments:
        is_weights = argument.startswith("--") and _option(argument) in WEIGHTS_OPTIONS
        spelled.append("--weights" + "".join(argument.partition("=")[1:]) if is_weights else argument)
    return spelled


def _with_parameters(options: list[str]) -> list[str]:
    if "--parameters_file" in map(_option, options) or not DEFAULT_PARAMETERS.is_file():
        return options
    return [*options, "--parameters_file", str(DEFAULT_PARAMETERS)]
