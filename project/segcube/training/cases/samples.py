"""origin.yaml beside the samples of a generative model: the patients whose cases it was trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field

from segcube.core import LIST_LIMITS, Name, Sha256, StrictModel, UsageError, read_model, write_atomic
from segcube.formats.nifti import written_by
from segcube.training.cases.pairing import LabelledCase

FILE = "origin.yaml"
SAMPLE_MARK = "segcube-sample"
"""In the header of each image and label map of a sample, with the digest of its origin."""
DIGEST_DIGITS = 16


class SampleOrigin(StrictModel):
    """What samples were made from. None of the patients may be validated where the samples train."""

    format: Literal[1] = 1
    model: Sha256
    """Digest of the model's description."""
    weights: Sha256
    masks: Name
    """The source of the label maps: cases, deformed or phantoms."""
    seed: Annotated[int, Field(ge=0)]
    steps: Annotated[int, Field(ge=1)]
    """Of the sampler."""
    patients: Annotated[tuple[Name, ...], Field(min_length=1)]
    """And the names of their cases, as another challenge may name the patients otherwise."""

    @property
    def digest(self) -> str:
        """Of all of it; in the headers of the samples."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:DIGEST_DIGITS]


def read_sample_origin(folder: Path) -> SampleOrigin | None:
    """Read origin.yaml of a folder of cases; None without one. Raises UsageError for an invalid file."""
    file = folder / FILE
    return read_model(file, SampleOrigin, UsageError, LIST_LIMITS) if file.is_file() else None


def origin_of_samples(folder: Path, cases: Iterable[LabelledCase]) -> SampleOrigin | None:
    """Return the origin of the cases of a folder; None where they are no samples.

    Raises UsageError for samples without their origin.yaml, as copied or linked from elsewhere.
    """
    marks = _marks(cases)
    if not marks:
        try:
            # Samples whose headers another program replaced
            return read_sample_origin(folder)
        except UsageError:
            # A file of the user's with the same name
            return None
    origin = read_sample_origin(folder)
    hint = "use the folder that segcube synthesize sample wrote, without other cases in it"
    for file, digest in marks.items():
        if origin is None:
            raise UsageError(
                f"is a sample of a generative model, and the folder has no {FILE}",
                file=file,
                expected=f"{FILE} beside the samples, with the patients that the model was trained on",
                hint=hint,
            )
        if digest != origin.digest:
            raise UsageError(
                f"is a sample of another model, or sampled otherwise, than {FILE} beside it describes",
                file=file,
                expected=f"samples of one command, with their {FILE}",
                hint=hint,
            )
    return origin


def _marks(cases: Iterable[LabelledCase]) -> dict[Path, str]:
    """The digest in the header of each file of a sample; links count as what they lead to."""
    found: dict[Path, str] = {}
    for case in cases:
        for file in (*case.case.files.values(), case.label):
            words = written_by(file)
            if words[:1] == [SAMPLE_MARK]:
                found[file] = words[-1]
    return found


def write_sample_origin(origin: SampleOrigin, folder: Path) -> None:
    """Write origin.yaml atomically."""
    content = yaml.safe_dump(origin.model_dump(mode="json"), sort_keys=False, width=110, allow_unicode=True)
    write_atomic(folder / FILE, content.encode())
