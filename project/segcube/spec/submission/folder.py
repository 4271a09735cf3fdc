"""Submission folders: found, read, checked and written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from segcube.core import EnvironmentFault, UsageError, read_model, scratch_folder
from segcube.spec.challenges.catalogue import load_challenge
from segcube.spec.challenges.schema import Challenge
from segcube.spec.submission.consistency import check_names
from segcube.spec.submission.schema import Submission


def expect_room(out: Path) -> None:
    """Check that a folder is not there yet, or empty. Raises UsageError."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError("is there already", file=out, expected="a folder that is new or empty")


@contextmanager
def whole_folder(out: Path) -> Generator[Path, None, None]:
    """A folder to fill beside `out`, which takes its place at the end; an error leaves nothing.

    Raises UsageError when `out` holds something, EnvironmentFault when it cannot be written.
    """
    expect_room(out)
    try:
        with scratch_folder(out.absolute().parent, out.name) as part:
            yield part
            with contextlib.suppress(FileNotFoundError):
                out.rmdir()
            part.rename(out)
    except OSError as error:
        raise EnvironmentFault(f"cannot be written: {error.strerror or error}", file=out) from error


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
        raise EnvironmentFault(found, file=file, expected="a submission folder", hint="see --weights")
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


def write_submission(submission: Submission, folder: Path) -> Path:
    """Write submission.yaml into `folder`, defaults left out; returns the file."""
    file = folder / FILE_NAME
    content = submission.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    file.write_text(yaml.safe_dump(content, sort_keys=False, width=110), encoding="utf-8")
    return file
