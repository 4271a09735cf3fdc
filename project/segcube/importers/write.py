"""Write an imported submission: the folder appears whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path, PurePath

from segcube.checkpoints import save_weights
from segcube.errors import EnvironmentFault, UsageError
from segcube.importers.card import write_card
from segcube.importers.imported import Imported, Source
from segcube.submission import LoadedSubmission, Submission, load_for, whole_folder, write_submission

Check = Callable[[LoadedSubmission], None]


def write_imported(imported: Imported, out: Path, check: Check = lambda _: None) -> Submission:
    """Write submission.yaml, a safetensors a member and MODEL_CARD.md into `out`; returns the submission.

    One member's weights are in memory at a time. check: looks at the whole folder before it appears. Raises
    UsageError when `out` holds something, EnvironmentFault for weights that do not fit their network, with
    the first ten keys that are missing, unexpected or of another shape, or that are not finite, and for a
    folder that cannot be written.
    """
    with whole_folder(out) as folder:
        written = _fill(imported, folder)
        check(load_for(folder))
    return written


def _fill(imported: Imported, folder: Path) -> Submission:
    for file in imported.sources:
        if file != PurePath(file).name:
            raise EnvironmentFault(
                f"member {file!r} would lie outside the folder", expected="a plain file name"
            )
    digests = {file: _save(source, folder / file) for file, source in imported.sources.items()}
    submission = _with_digests(imported.submission, digests)
    if imported.target.file:
        shutil.copyfile(imported.target.file, folder / imported.target.file.name)
    write_submission(submission, folder)
    write_card(imported, submission, folder)
    return submission


def _save(source: Source, file: Path) -> str:
    notes = "imported from " + ", ".join(path.name for path in source.files)
    try:
        return save_weights(source.read(), source.network, source.arguments, file, notes)
    except (UsageError, EnvironmentFault) as error:
        # Whoever reads this knows the file that the weights came from, not the one that never came to be
        if error.file != file:
            raise
        raise EnvironmentFault(
            error.found, file=source.files[0], expected=error.expected, mend=error.mend
        ) from error


def _with_digests(submission: Submission, digests: dict[str, str]) -> Submission:
    stages = tuple(
        stage.model_copy(
            update={
                "branches": tuple(
                    branch.model_copy(
                        update={
                            "members": tuple(
                                member.model_copy(update={"sha256": digests[member.file]})
                                for member in branch.members
                            )
                        }
                    )
                    for branch in stage.branches
                )
            }
        )
        for stage in submission.stages
    )
    return submission.model_copy(update={"stages": stages})
