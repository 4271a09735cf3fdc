"""Read submissions, and find the one that a run shall use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from segcube.challenges import Challenge, load_challenge
from segcube.errors import EnvironmentFault, UsageError
from segcube.submission.check import check_names
from segcube.submission.schema import Submission
from segcube.validation import read_model

FILE_NAME = "submission.yaml"


@dataclass(frozen=True)
class LoadedSubmission:
    """A submission, its folder, and the challenge that it is run for."""

    submission: Submission
    folder: Path
    challenge: Challenge


def read_submission(folder: Path) -> Submission:
    """Read `folder`/submission.yaml.

    Raises EnvironmentFault when it is missing, is no YAML, or breaks the schema: the error names the key, the
    value and what is valid.
    """
    file = folder / FILE_NAME
    if not file.is_file():
        found = "no such file" if folder.is_dir() else "no such folder"
        raise EnvironmentFault(found, file=file, expected="a submission folder", mend="see --weights")
    return read_model(file, Submission, EnvironmentFault)


def load_for(folder: Path, challenge: str = "auto") -> LoadedSubmission:
    """Read a submission and its challenge; `challenge` may choose among those that it serves.

    A challenge may be a YAML file beside submission.yaml. Raises EnvironmentFault for a broken folder and
    UsageError for a challenge that is not served.
    """
    submission = read_submission(folder)
    if challenge not in ("auto", *submission.keys):
        raise UsageError(
            f"{submission.name} does not serve {challenge}",
            file=folder / FILE_NAME,
            expected="one of " + ", ".join(submission.keys),
        )
    key = submission.challenge if challenge == "auto" else challenge
    loaded = LoadedSubmission(submission, folder, read_challenge(key, folder))
    check_names(submission, loaded.challenge, folder / FILE_NAME)
    _check_files(submission, folder)
    return loaded


def read_challenge(key: str, folder: Path) -> Challenge:
    """The challenge of that key, or of that YAML file beside the submission."""
    own = folder / key
    return load_challenge(own if own.suffix in (".yaml", ".yml") and own.is_file() else key)


def _check_files(submission: Submission, folder: Path) -> None:
    for member in submission.members:
        file = folder / member.file
        if not file.is_file():
            raise EnvironmentFault(
                "no such file", file=file, expected="the weights that submission.yaml names"
            )


def choose_submission(
    folders: list[Path], challenge: str, fits: Callable[[Challenge], bool]
) -> LoadedSubmission | None:
    """The submission among `folders` that serves a challenge for which `fits` holds; its own challenge first.

    fits: whether the data folder holds cases of that challenge. None when there is none.
    """
    for folder in folders:
        for key in read_submission(folder).keys:
            if challenge in ("auto", key) and fits(read_challenge(key, folder)):
                return load_for(folder, key)
    return None


def submission_folders(root: Path) -> list[Path]:
    """`root` if it is a submission, else those right below it: what is no starter first, then by name."""
    if (root / FILE_NAME).is_file():
        return [root]
    folders = sorted(file.parent for file in root.glob(f"*/{FILE_NAME}"))
    return sorted(folders, key=lambda folder: read_submission(folder).starter)
