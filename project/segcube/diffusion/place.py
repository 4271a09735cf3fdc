"""Where a model is trained: what its folder may hold, so that nothing else is replaced or removed."""

from __future__ import annotations

from segcube.core import UsageError
from segcube.diffusion.examples import Selection
from segcube.diffusion.model import ModelFile, ModelFolder, read_model_file
from segcube.training import remove_states
from segcube.training.cache import is_cached_case


def check_place(folder: ModelFolder) -> None:
    """Raise UsageError for a folder of anything else, such as a run, whose files a model would replace."""
    if not folder.root.is_dir() or folder.model.is_file():
        return
    # What a training leaves that is ended while it prepares its cases
    own = {folder.cache.name, "lock", "challenge.yaml"}
    other = sorted(file.name for file in folder.root.iterdir() if file.name not in own)
    if folder.cache.is_dir():
        other += sorted(
            f"{folder.cache.name}/{case.name}" for case in folder.cache.iterdir() if not is_cached_case(case)
        )
    if other:
        found = f"holds {other[0]}, and no model.yaml"
        raise UsageError(found, file=folder.root, expected="a new or empty folder, or that of a model")


def check_challenge(selection: Selection, folder: ModelFolder) -> None:
    """Raise UsageError for a challenge of the user's that the run's would replace."""
    source = selection.request.run.root / selection.plan.challenge
    target = folder.root / selection.plan.challenge
    known = folder.model.is_file() or not target.is_file() or not source.is_file()
    if not known and target.read_bytes() != source.read_bytes():
        raise UsageError("is not the challenge of the run", file=target, expected="a new or empty folder")


def check_request(selection: Selection, folder: ModelFolder) -> None:
    """Raise UsageError where a folder's model has another recipe, fold or base, whose cache would change."""
    if not folder.model.is_file():
        return
    file, challenge = read_model_file(folder)
    steps = {"steps": file.recipe.steps}
    names = {case.name for case in selection.cases}
    same = (
        file.recipe == selection.request.recipe.model_copy(update=steps)
        and challenge == selection.challenge
        and file.rules(challenge).digest == selection.rules.digest
        and names.issuperset(case.name for case in file.cases)
    )
    if not same:
        raise _other_model(folder)


def check_same(file: ModelFile, folder: ModelFolder) -> None:
    """Raise UsageError where a folder has another model."""
    if folder.model.is_file() and read_model_file(folder)[0].digest != file.digest:
        raise _other_model(folder)


def _other_model(folder: ModelFolder) -> UsageError:
    return UsageError(
        "holds a model of another recipe, fold, base or other cases",
        file=folder.root,
        expected="the same, or another number of steps alone",
        hint="train into another folder, or start anew with --fresh",
    )


def remove_model(folder: ModelFolder) -> None:
    """Remove what an earlier training left, its weights first; the cache stays."""
    for file in (folder.trained, folder.final, folder.model):
        file.unlink(missing_ok=True)
    remove_states(folder.root)
    folder.log.unlink(missing_ok=True)
