"""The request of a run, and the submission and the cases that it selects."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from segcube.core import EnvironmentFault, RunSettings, UsageError
from segcube.formats import Discovery, discover_cases, nifti_files
from segcube.inference.probabilities import SavedProbabilities
from segcube.spec.challenges import Challenge, challenge_keys, parse_name
from segcube.spec.hosts import BUILT_IN_WEIGHTS
from segcube.spec.submission import (
    LoadedSubmission,
    choose_submission,
    load_for_challenge,
    read_challenge,
    read_submission,
    submission_folders,
)


@dataclass(frozen=True)
class Request:
    """Folders and files of a run, and how to run it."""

    data: Path
    output: Path
    weights: Path | None = None
    settings: RunSettings = field(default_factory=RunSettings)
    report: Path | None = None
    save: SavedProbabilities | None = None
    """Which probabilities are saved, and where."""


def select(request: Request) -> tuple[LoadedSubmission, Discovery]:
    """The submission of a run and the cases of its challenge.

    A named submission is used: --weights, then that of the parameters file. Only where none is named, the one
    submission of the image is used, else a starter whose challenge the folder's names fit. Raises
    EnvironmentFault when there are no valid weights, UsageError when the names fit no challenge, or those of
    several that no single submission serves.
    """
    named = request.weights or request.settings.submission
    if named is not None:
        loaded = load_for_challenge(_submission_in(Path(named)), request.settings.challenge)
    else:
        loaded = _choose(request)
    return loaded, find_cases(request, loaded)


def _submission_in(folder: Path) -> Path:
    """The folder itself, or the only submission inside it: hosts mount one or the other."""
    inside = submission_folders(folder)
    return inside[0] if len(inside) == 1 else folder


def _choose(request: Request) -> LoadedSubmission:
    folders = submission_folders(BUILT_IN_WEIGHTS)
    if not folders:
        raise EnvironmentFault(
            "no submission", file=BUILT_IN_WEIGHTS, hint="name a submission folder with --weights"
        )
    if len(folders) == 1:
        return load_for_challenge(folders[0], request.settings.challenge)

    def fits(challenge: Challenge) -> bool:
        return discover_cases(request.data, challenge).fits

    chosen = choose_submission(folders, request.settings.challenge, fits)
    if chosen is None:
        raise _no_case(request, folders)
    if request.settings.challenge == "auto":
        _check_unambiguous(request, chosen, folders)
    return chosen


def _check_unambiguous(request: Request, chosen: LoadedSubmission, folders: list[Path]) -> None:
    """Raise UsageError where other submissions serve files of the folder that the chosen one does not."""
    files = nifti_files(request.data)
    served = {
        folder: [read_challenge(key, folder) for key in read_submission(folder).challenge_keys]
        for folder in folders
    }

    def fits(file: Path, folder: Path) -> bool:
        return any(parse_name(file.name, challenge) is not None for challenge in served[folder])

    others = [file for file in files if not fits(file, chosen.folder)]
    keys = [served[folder][0].key for folder in folders if any(fits(file, folder) for file in others)]
    if keys:
        raise UsageError(
            f"cases of {', '.join([chosen.challenge.key, *dict.fromkeys(keys)])}",
            file=request.data,
            expected="cases of one challenge",
            hint="name it with --challenge, or a submission with --weights",
        )


def _no_case(request: Request, folders: list[Path]) -> UsageError:
    """The error where no submission's challenge has cases in the folder."""
    challenges = {key: folder for folder in folders for key in read_submission(folder).challenge_keys}
    key = request.settings.challenge
    if key == "auto":
        expected = f"cases of {', '.join(challenges)}"
        return UsageError(
            "no case", file=request.data, expected=expected, hint="name a submission with --weights"
        )
    if key not in challenges:
        found = f"no submission in {BUILT_IN_WEIGHTS} serves {key}"
        return UsageError(found, expected=", ".join(challenges), hint="name a submission with --weights")
    expected = f"files of cases like {read_challenge(key, challenges[key]).case}"
    return UsageError(f"no case of {key}", file=request.data, expected=expected)


def find_cases(request: Request, loaded: LoadedSubmission) -> Discovery:
    """The cases of the submission's challenge in a folder.

    Raises UsageError where the names fit another challenge, served or not.
    """
    data = request.data
    found = discover_cases(data, loaded.challenge)
    if found.fits:
        return found

    def fitting(keys: Iterable[str]) -> list[str]:
        return [key for key in keys if discover_cases(data, read_challenge(key, loaded.folder)).fits]

    if served := fitting(loaded.submission.challenge_keys):
        hint = f"they fit {served[0]}: add --challenge {served[0]}"
    elif others := ", ".join(fitting(challenge_keys())):
        hint = (
            f"they fit {others}, which {loaded.submission.name} does not serve: name another with --weights"
        )
    else:
        return found
    raise UsageError(
        f"the names do not fit {loaded.challenge.key}",
        file=data,
        expected=f"cases like {loaded.challenge.case}",
        hint=hint,
    )


def check_command(request: Request, loaded: LoadedSubmission, *, has_maps: bool) -> str:
    """Return the command line that checks the maps of a run, or its cases where no map was written."""
    named = request.settings.challenge
    own = loaded.folder / (loaded.submission.challenge if named == "auto" else named)
    # --challenge takes a key, or the challenge's file in the submission folder
    challenge = str(own) if own.suffix in (".yaml", ".yml") and own.is_file() else loaded.challenge.key
    words = ["output", str(request.output), "--data"] if has_maps else ["input"]
    return shlex.join(["segcube", "check", *words, str(request.data), "--challenge", challenge])
