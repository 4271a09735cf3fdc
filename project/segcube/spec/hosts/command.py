"""The container's paths, and the segcube command for a host's command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGE_FOLDER = Path(__file__).parents[2]
"""Folder of the package."""
WHEEL_FILES = PACKAGE_FOLDER / "checkout"
"""In an installed wheel: the files that setup.py copied from the checkout."""
PROJECT_ROOT = WHEEL_FILES if WHEEL_FILES.is_dir() else PACKAGE_FOLDER.parents[1]
"""The checkout, the image's copy of it, or the wheel's."""

ENTRYPOINT = PROJECT_ROOT / "project" / "mlcube.py"
BUILT_IN_WEIGHTS = PROJECT_ROOT / "weights"
"""Submission folders of the image or checkout; the starters in a wheel."""
DEFAULT_PARAMETERS = PROJECT_ROOT / "mlcube" / "workspace" / "parameters.yaml"
"""Settings of the container, below those of the host's parameters file."""

MOUNTS_UNDER_VARIABLE = "SEGCUBE_MOUNTS_UNDER"
"""Environment variable: folder that replaces / in the mounts, to run the entrypoint without an image."""


@dataclass(frozen=True)
class DefaultMounts:
    """Folders that a host mounts when it passes no arguments."""

    name: str
    data: Path
    """Relative to the container's root, as all folders here."""
    output: Path
    parameters: tuple[Path, ...] = ()
    """The first existing one is used."""
    weights: Path | None = None
    """Used if it is mounted, even if empty: an empty weights folder is an error."""


DEFAULT_MOUNTS = (
    DefaultMounts(
        name="MedPerf 0.2 and later",
        data=Path("mlcommons/volumes/data"),
        output=Path("mlcommons/volumes/predictions"),
        parameters=(
            Path("mlcommons/volumes/parameters/parameters_file.yaml"),
            Path("mlcommons/volumes/parameters/parameters.yaml"),
        ),
        weights=Path("mlcommons/volumes/additional_files"),
    ),
    DefaultMounts(name="BraTS 2025 and later, MBAS, docker run", data=Path("input"), output=Path("output")),
)
"""In search order."""

MBAS_SCRIPTS = ("predict.py", "/workspace/predict.py")
WEIGHTS_OPTIONS = ("--weights", "--checkpoint_dir", "--checkpoint_path", "--additional_files")
"""Options by which hosts name their weights mount."""


def segcube_command(arguments: Sequence[str], root: Path = Path("/")) -> list[str] | None:
    """Return segcube's arguments for a host's; None without arguments and without known mounts.

    MBAS's predict.py becomes infer on its folders. Commands other than infer are returned as they are.
    root: folder that contains the known mounts.
    """
    if not arguments:
        mounted = (m for m in DEFAULT_MOUNTS if (root / m.data).is_dir() and (root / m.output).is_dir())
        mounts = next(mounted, None)
        return None if mounts is None else _infer_on(mounts, root)
    if arguments[0] in ("python", "python3") and len(arguments) > 1 and arguments[1] in MBAS_SCRIPTS:
        arguments = arguments[1:]
    if arguments[0] in MBAS_SCRIPTS:
        return _infer_as_mbas(arguments[1:], root)
    if arguments[0] == "infer":
        return ["infer", *_with_defaults(_normalized(arguments[1:]))]
    return list(arguments)


def _infer_on(mounts: DefaultMounts, root: Path) -> list[str]:
    options = ["--data_path", str(root / mounts.data), "--output_path", str(root / mounts.output)]
    parameters = next((root / file for file in mounts.parameters if (root / file).is_file()), None)
    if parameters is not None:
        options += ["--parameters_file", str(parameters)]
    if mounts.weights is not None and (root / mounts.weights).is_dir():
        options += ["--weights", str(root / mounts.weights)]
    return ["infer", *_with_defaults(options)]


def _infer_as_mbas(arguments: Sequence[str], root: Path) -> list[str]:
    """Return the infer arguments for predict.py's folders.

    --model_pth names a file of MBAS's reference image; --gpu is ignored, as the device is a run setting.
    """
    data, output = str(root / "input"), str(root / "output")
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if name in ("--input_dir", "--input-dir"):
            data = value if equals else next(words, data)
        elif name in ("--output_dir", "--output-dir"):
            output = value if equals else next(words, output)
    return ["infer", *_with_defaults(["--data_path", data, "--output_path", output])]


def _normalized(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with each spelling of the weights option replaced by --weights."""
    normalized: list[str] = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        # Not a value, which may be a folder called `weights`
        is_weights = name[:2] + name[2:].replace("-", "_") in WEIGHTS_OPTIONS
        normalized.append(f"--weights{equals}{value}" if is_weights else argument)
    return normalized


def _with_defaults(options: list[str]) -> list[str]:
    return [*options, "--defaults_file", str(DEFAULT_PARAMETERS)] if DEFAULT_PARAMETERS.is_file() else options
