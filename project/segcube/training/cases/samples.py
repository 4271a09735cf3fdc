"""origin.yaml beside the samples of a generative model: the patients whose cases it was trained on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field

from segcube.core import Name, Sha256, StrictModel, UsageError, read_model, write_atomic
from segcube.formats.nifti import is_written_by_segcube

FILE = "origin.yaml"
SAMPLE_MARK = "segcube-sample"
"""In the header of each image and label map of a sample."""


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


def origin_of_samples(folder: Path, images: Iterable[Path]) -> SampleOrigin | None:
    """Return the origin of the cases of a folder; None where they are no samples.

    images: one of each case. Raises UsageError for samples without origin.yaml, as copied from elsewhere.
    """
    origin = read_sample_origin(folder)
    if origin is None:
        marked = next((file for file in images if is_written_by_segcube(file, SAMPLE_MARK)), None)
        if marked is not None:
            raise UsageError(
                f"is a sample of a generative model, and the folder has no {FILE}",
                file=marked,
                expected=f"{FILE} beside the samples, with the patients that the model was trained on",
                hint="use the folder that segcube synthesize sample wrote, without other cases in it",
            )
    return origin


def write_sample_origin(origin: SampleOrigin, folder: Path) -> None:
    """Write origin.yaml atomically."""
    content = yaml.safe_dump(origin.model_dump(mode="json"), sort_keys=False, width=110, allow_unicode=True)
    write_atomic(folder / FILE, content.encode())
