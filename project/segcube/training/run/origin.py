"""What the weights of a fold were trained with, so that they are never used with another plan or split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated

from pydantic import Field, ValidationError

from segcube.core import EnvironmentFault, Sha256, StrictModel, read_json, write_atomic
from segcube.spec.submission import sha256_of
from segcube.training.cases import Folds, Split, read_folds
from segcube.training.plan import Plan, PreviousStage, read_plan
from segcube.training.recipes import recipe_digest
from segcube.training.run.cases import DatasetFile, labelled_cases
from segcube.training.run.folder import FoldFolder, FoldNumber, RunFolder

_UNRELATED = {"recipe", "estimate", "origin", "accumulate", "gradient_checkpointing", "lowres"}
"""Keys of a plan that change no step; of the recipe, all but its length counts."""

_OTHER = {
    "plan": "another plan",
    "split": "another split",
    "cases": "other cached cases",
    "start": "other initial weights",
    "previous": "masks of other weights of the first stage",
}


class Origin(StrictModel):
    """origin.json of a fold: digests of what its weights depend on, but the number of steps."""

    plan: Sha256
    """Of plan and recipe."""
    split: Sha256
    """Of the names of the training and validation cases."""
    cases: Sha256
    """Of the cached training cases."""
    start: Sha256 | None = None
    """Of the trained weights that it started from, and of what was frozen; None for random weights."""
    previous: Sha256 | None = None
    """Of the weights whose masks a second stage was trained on; None for a single stage."""
    steps: Annotated[int, Field(ge=0)] = 0
    """After which final.safetensors was written."""
    final: Sha256 | None = None
    """Of final.safetensors."""

    @property
    def digest(self) -> str:
        """Of all parts together; a saved state has to match it."""
        return _digest(self.model_dump(exclude={"steps", "final"}, exclude_none=True))


def origin_of(plan: Plan, split: Split, cases: Mapping[str, str], start: str | None = None) -> Origin:
    """Return the origin of a training.

    cases: digests of the cached training cases, by name. start: of the trained weights it started from.
    """
    content = plan.model_dump(mode="json", by_alias=True, exclude=_UNRELATED)
    if plan.previous is not None:
        # Runs may be moved and renamed
        del content["previous"]["run"], content["previous"]["name"]
    return Origin(
        plan=_digest({"recipe": recipe_digest(plan.recipe), "plan": content}),
        split=_digest(asdict(split)),
        cases=_digest(dict(cases)),
        start=start,
        previous=None if plan.previous is None else _first_stage(RunFolder(plan.previous.run)),
    )


def write_origin(origin: Origin, folder: FoldFolder, steps: int) -> None:
    """Write origin.json atomically, after final.safetensors of so many steps was written."""
    content = origin.model_copy(update={"steps": steps, "final": sha256_of(folder.final)})
    write_atomic(folder.origin, (content.model_dump_json(indent=1) + "\n").encode())


def read_origin(folder: FoldFolder) -> Origin:
    """Read origin.json of a trained fold. Raises EnvironmentFault for a file that is missing or invalid."""
    train = f"segcube train {folder.root.parent} --fold {folder.root.name.removeprefix('fold_')}"
    if not folder.origin.is_file():
        raise EnvironmentFault("no such file", file=folder.origin, hint=f"{train} writes it")
    try:
        return Origin.model_validate(read_json(folder.origin, EnvironmentFault))
    except (EnvironmentFault, ValidationError) as error:
        found = "is not what a training wrote"
        raise EnvironmentFault(found, file=folder.origin, hint=f"{train} --fresh trains anew") from error


def trained_steps(folder: FoldFolder) -> int:
    """Return the steps of a fold's final weights; 0 without them."""
    complete = folder.final.is_file() and folder.origin.is_file()
    return read_origin(folder).steps if complete else 0


def check_origin(folder: FoldFolder, origin: Origin) -> None:
    """Raise EnvironmentFault where a fold's weights have another origin, but for the number of steps."""
    _refuse_other(folder, origin, tuple(_OTHER))


def check_origins(run: RunFolder, folds: Sequence[FoldNumber], plan: Plan, known: Folds) -> None:
    """Raise EnvironmentFault where the weights of a fold have another plan, split or first stage, or changed.

    The cache of the cases is not required, as it may be removed after a training.
    """
    for fold in folds:
        folder = run.fold(fold)
        _refuse_other(folder, origin_of(plan, known.split(fold), {}), ("plan", "split", "previous"))
        written = read_origin(folder).final
        if written is not None and sha256_of(folder.final) != written:
            raise EnvironmentFault(
                "is not the file that the training wrote",
                file=folder.final,
                expected=f"sha256 {written[:12]}...",
                hint=f"restore it, or train anew: segcube train {run.root} --fold {fold} --fresh",
            )


def run_folds(run: RunFolder, dataset: DatasetFile) -> Folds:
    """Read folds.yaml of a run and check it against its cases.

    Raises DataError with every problem, and EnvironmentFault where a second stage has other folds than the
    first one had when it was planned.
    """
    plan = read_plan(run.plan)
    alone = not plan.recipe.uses_cases
    folds, previous = read_folds(run.folds, labelled_cases(run, dataset), phantoms_alone=alone), plan.previous
    if previous is not None and folds_digest(folds) != previous.folds:
        raise EnvironmentFault(
            "the folds changed: masks of the first stage would be of cases that trained it",
            file=run.folds,
            expected=f"those of {previous.run}",
            hint="restore them, or plan anew with --fresh",
        )
    return folds


def is_trained_with(folder: FoldFolder, plan: Plan, split: Split) -> bool:
    """Return whether a fold has final weights of all steps of a plan, trained with it and with this split."""
    complete = trained_steps(folder) >= plan.recipe.steps
    return complete and not _differing(folder, origin_of(plan, split, {}), ("plan", "split"))


def _differing(folder: FoldFolder, origin: Origin, parts: Sequence[str]) -> list[str]:
    found = read_origin(folder)
    return [part for part in parts if getattr(found, part) != getattr(origin, part)]


def _refuse_other(folder: FoldFolder, origin: Origin, parts: Sequence[str]) -> None:
    if differing := _differing(folder, origin, parts):
        fold = folder.root.name.removeprefix("fold_")
        raise EnvironmentFault(
            f"its weights were trained with {' and '.join(_OTHER[part] for part in differing)}",
            file=folder.root,
            expected="plan.yaml, folds.yaml and the cache as they were when it was trained",
            hint=f"restore them, or train anew: segcube train {folder.root.parent} --fold {fold} --fresh",
        )


def folds_digest(folds: Folds) -> str:
    """Return the SHA-256 of the validation cases of each fold."""
    return _digest([sorted(names) for names in folds.validation])


def check_folds(previous: PreviousStage, known: Folds, run: RunFolder) -> None:
    """Raise EnvironmentFault where the first stage has other folds than when the second was planned."""
    if folds_digest(known) != previous.folds:
        raise EnvironmentFault(
            "the folds of the first stage changed: its masks may be of cases that trained it",
            file=run.folds,
            expected="those that the second stage was planned with",
            hint="plan the second stage anew with --fresh",
        )


def _first_stage(run: RunFolder) -> str:
    """Of the final weights of all folds. Raises EnvironmentFault where the run is not there."""
    if not run.plan.is_file():
        raise EnvironmentFault(
            "the first stage is not there",
            file=run.root,
            expected="its run",
            hint="move it back, or write its new place to plan.yaml of the second stage, as previous.run",
        )
    files = sorted(run.root.glob("fold_[0-9]*/final.safetensors"))
    return _digest({file.parent.name: sha256_of(file) for file in files})


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
