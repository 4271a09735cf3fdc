"""Where things lie: in the image, and in the mounts of hosts that pass no arguments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
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
