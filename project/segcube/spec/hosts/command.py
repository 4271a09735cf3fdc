"""The container's paths, and what a host's command line asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[2]
"""The folder of segcube's modules."""
CARRIED = PACKAGE / "checkout"
"""In an install from a wheel: what setup.py put there of the checkout."""
ROOT = CARRIED if CARRIED.is_dir() else PACKAGE.parents[1]
"""The checkout, the image's own folder, or what a wheel carries of the checkout."""

ENTRYPOINT = ROOT / "project" / "mlcube.py"
BAKED = ROOT / "weights"
"""Where an image or a checkout keeps its submissions, and a wheel the starters."""
DEFAULT_PARAMETERS = ROOT / "mlcube" / "workspace" / "parameters.yaml"
"""What a container runs by where its host's parameters say nothing."""

UNDER = "SEGCUBE_MOUNTS_UNDER"
"""Environment variable: a folder that stands for the root, so that the entrypoint runs without an image."""


@dataclass(frozen=True)
class BareMounts:
    """Where a host that passes no arguments mounts its folders."""

    name: str
    data: Path
    output: Path
    parameters: tuple[Path, ...] = ()
    """The first that exists is read."""
    weights: Path | None = None
    """Taken when it is mounted, empty or not: an empty one ends the run."""

    def under(self, root: Path) -> BareMounts:
        """The same places below another root."""

        def below(path: Path) -> Path:
            return root / path.relative_to(path.anchor)

        weights = below(self.weights) if self.weights else None
        parameters = tuple(below(file) for file in self.parameters)
        return BareMounts(self.name, below(self.data), below(self.output), parameters, weights)


BARE_MOUNTS = (
    BareMounts(
        name="MedPerf 0.2 and later",
        data=Path("/mlcommons/volumes/data"),
        output=Path("/mlcommons/volumes/predictions"),
        parameters=(
            Path("/mlcommons/volumes/parameters/parameters_file.yaml"),
            Path("/mlcommons/volumes/parameters/parameters.yaml"),
        ),
        weights=Path("/mlcommons/volumes/additional_files"),
    ),
    BareMounts(name="BraTS 2025 and later, MBAS, a person", data=Path("/input"), output=Path("/output")),
)
"""In the order in which they are looked for."""


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
