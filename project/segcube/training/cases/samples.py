"""origin.yaml beside the samples of a generative model: the patients whose cases it was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field

from segcube.core import Name, Sha256, StrictModel, UsageError, read_model, write_atomic

FILE = "origin.yaml"


class SampleOrigin(StrictModel):
    """What samples were made from. None of the patients may be validated where the samples train."""

    format: Literal[1] = 1
    model: Sha256
    """Digest of the model's description."""
    weights: Sha256
    masks: Name
    """The source of the label maps: cases, deformed or phantoms."""
    seed: Annotated[int, Field(ge=0)]
    patients: Annotated[tuple[Name, ...], Field(min_length=1)]


def read_sample_origin(folder: Path) -> SampleOrigin | None:
    """Read origin.yaml of a folder of cases; None without one. Raises UsageError for an invalid file."""
    file = folder / FILE
    return read_model(file, SampleOrigin, UsageError) if file.is_file() else None


def write_sample_origin(origin: SampleOrigin, folder: Path) -> None:
    """Write origin.yaml atomically."""
    content = yaml.safe_dump(origin.model_dump(mode="json"), sort_keys=False, width=110, allow_unicode=True)
    write_atomic(folder / FILE, content.encode())
