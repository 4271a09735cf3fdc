"""Find, read, check and write submission folders."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from segcube.core import EnvironmentFault, UsageError, count_of, read_model, scratch_folder
from segcube.spec.challenges.catalogue import load_challenge
from segcube.spec.challenges.schema import Challenge
from segcube.spec.submission.consistency import check_names
from segcube.spec.submission.schema import Submission


def check_empty_folder(out: Path) -> None:
    """Raise UsageError unless `out` does not exist or is an empty folder."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError("already exists", file=out, expected="a new or empty folder")


@contextmanager
def atomic_folder(out: Path) -> Generator[Path, None, None]:
    """Yield a scratch folder to fill, which becomes `out` at the end; an error leaves nothing behind.

    Raises UsageError when `out` exists and is not empty, EnvironmentFault when it cannot be written.
    """
    check_empty_folder(out)
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
    """A submission with its folder and the challenge that it is run for."""

    submission: Submission
    folder: Path
    challenge: Challenge


def read_submission(folder: Path) -> Submission:
    """Read `folder`/submission.yaml.

    Raises EnvironmentFault when it is missing, not YAML or does not match the schema; the message names the
    key, its value and the valid ones.
    """
    file = folder / FILE_NAME
    if not file.is_file():
        expected = "a submission folder, which holds submission.yaml"
        if not folder.is_dir():
            raise EnvironmentFault("no such folder", file=folder, expected=expected)
        if inside := submission_folders(folder):
            names = ", ".join(one.name for one in inside)
            found = f"holds {count_of(len(inside), 'submission')}: {names}"
            raise EnvironmentFault(found, file=folder, expected=expected, hint="name one of them")
        is_nnunet = (folder / "plans.json").is_file()
        hint = "import it first: segcube import nnunet" if is_nnunet else ""
        raise EnvironmentFault("no such file", file=file, expected=expected, hint=hint)
    return read_model(file, Submission, EnvironmentFault)


def load_for_challenge(folder: Path, challenge: str = "auto") -> LoadedSubmission:
    """Read a submission and its challenge.

    challenge: auto for the submission's own, or one of those that it serves; keys, or challenge files in the
    folder. Raises EnvironmentFault for an invalid folder, UsageError for a challenge that is not served.
    """
    submission = read_submission(folder)
    if challenge not in ("auto", *submission.challenge_keys):
        found = f"{submission.name} does not serve {challenge}"
        expected = "one of " + ", ".join(submission.challenge_keys)
        raise UsageError(found, file=folder / FILE_NAME, expected=expected)
    key = submission.challenge if challenge == "auto" else challenge
    loaded = LoadedSubmission(submission, folder, read_challenge(key, folder))
    check_names(submission, loaded.challenge, folder / FILE_NAME)
    _check_files(submission, folder)
    return loaded


def read_challenge(key: str, folder: Path) -> Challenge:
    """Read the challenge of a key, or of a challenge file in the submission folder."""
    own = folder / key
    return load_challenge(own if own.suffix in (".yaml", ".yml") and own.is_file() else key)


def _check_files(submission: Submission, folder: Path) -> None:
    for member in submission.members:
        file = folder / member.file
        if not file.is_file():
            found = "no such file"
            raise EnvironmentFault(found, file=file, expected="the weights listed in submission.yaml")


def choose_submission(
    folders: list[Path], challenge: str, fits: Callable[[Challenge], bool]
) -> LoadedSubmission | None:
    """Return the first submission among `folders` that serves a challenge of the data, or None.

    challenge: auto, or the key of the only one to consider. fits: returns whether the data folder contains
    cases of a challenge.
    """
    for folder in folders:
        for key in read_submission(folder).challenge_keys:
            if challenge in ("auto", key) and fits(read_challenge(key, folder)):
                return load_for_challenge(folder, key)
    return None


def submission_folders(root: Path) -> list[Path]:
    """Return `root` if it is a submission, else the submissions in it, sorted by name, starters last."""
    if (root / FILE_NAME).is_file():
        return [root]
    folders = sorted(file.parent for file in root.glob(f"*/{FILE_NAME}"))
    return sorted(folders, key=lambda folder: read_submission(folder).starter)


def write_submission(submission: Submission, folder: Path) -> Path:
    """Write submission.yaml to `folder`, without default values; returns the file."""
    file = folder / FILE_NAME
    content = submission.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    file.write_text(yaml.safe_dump(content, sort_keys=False, width=110), encoding="utf-8")
    return file
