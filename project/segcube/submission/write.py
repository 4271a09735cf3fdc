"""Write a submission as its folder's submission.yaml."""

from __future__ import annotations

from pathlib import Path

import yaml

from segcube.submission.load import FILE_NAME
from segcube.submission.schema import Submission


def write_submission(submission: Submission, folder: Path) -> Path:
    """Write submission.yaml into `folder`, defaults left out; returns the file."""
    file = folder / FILE_NAME
    content = submission.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    file.write_text(yaml.safe_dump(content, sort_keys=False, width=110), encoding="utf-8")
    return file
