"""The state of a training on disk: tensors as safetensors, counters as JSON beside them, two of each kept."""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError

from segcube.core import (
    LOG,
    EnvironmentFault,
    Sha256,
    StrictModel,
    explain_validation_error,
    read_json,
    write_atomic,
)
from segcube.training.optim import Plateau

KEPT = 2
"""States that are kept; the older one is for a newer one that cannot be read."""
NAME = re.compile(r"state-(\d{9})\.json")


@dataclass
class Counters:
    """What a training knows besides tensors, after `step` steps."""

    step: int = 0
    plateau: Plateau = field(default_factory=Plateau)
    accumulate: int = 1
    """Parts into which a batch is divided for want of memory."""
    skipped: int = 0
    """Consecutive steps without an update, because loss or gradient were not finite."""
    best: float | None = None
    """The highest mean score of a validation."""
    scaler: dict[str, float] = field(default_factory=dict)
    """Of fp16's loss scaling."""
    validations: int = 0
    """How often the validation after this step was started; 0 once it is done, or where none is due."""


@dataclass(frozen=True)
class SavedState:
    """A state as it was read."""

    counters: Counters
    tensors: dict[str, torch.Tensor]


class _StateFile(StrictModel):
    """The JSON file of a state."""

    recipe: Sha256
    """Digest of recipe, plan and split; another training's state is refused."""
    sha256: Sha256
    """Of the safetensors file."""
    step: int = Field(ge=0)
    plateau_best: float | None
    plateau_waited: int = Field(ge=0)
    plateau_reductions: int = Field(ge=0)
    accumulate: int = Field(ge=1)
    skipped: int = Field(ge=0)
    best: float | None
    scaler: dict[str, float]
    validations: int = Field(default=0, ge=0)


def save_state(
    folder: Path, counters: Counters, tensors: Mapping[str, torch.Tensor], recipe_digest: str
) -> None:
    """Write a state atomically and remove all but the last two states.

    The JSON file comes last: a state without it is incomplete. Raises EnvironmentFault for a full disk; the
    older states are still there then.
    """
    file = folder / f"state-{counters.step:09d}.safetensors"
    data = safetensors.torch.save(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    )
    write_atomic(file, data)
    best = counters.plateau.best
    content = _StateFile(
        recipe=recipe_digest,
        sha256=hashlib.sha256(data).hexdigest(),
        step=counters.step,
        plateau_best=best if best < math.inf else None,
        plateau_waited=counters.plateau.waited,
        plateau_reductions=counters.plateau.reductions,
        accumulate=counters.accumulate,
        skipped=counters.skipped,
        best=counters.best,
        scaler=counters.scaler,
        validations=counters.validations,
    )
    write_atomic(file.with_suffix(".json"), content.model_dump_json(indent=1).encode())
    for old in _state_files(folder)[KEPT:]:
        # The JSON file goes first, so that no state is ever named without its tensors
        for name in (old, old.with_suffix(".safetensors")):
            with contextlib.suppress(OSError):
                name.unlink()


def load_state(folder: Path, recipe_digest: str) -> SavedState | None:
    """Read the newest whole state of a training; None where there is none.

    A state that cannot be read is logged, and the older one is read. Raises EnvironmentFault for a state of
    another recipe, plan or split, and where no state can be read although there are some.
    """
    files = _state_files(folder)
    for file in files:
        try:
            return _read(file, recipe_digest)
        except _UnreadableError as error:
            LOG.warning("%s cannot be used: %s", file, error)
    if files:
        raise EnvironmentFault(
            "no state of this training can be read", file=folder, hint="--fresh starts the training anew"
        )
    return None


def saved_step(folder: Path) -> int | None:
    """Return the step of the newest state of a folder, by its name; None where there is none."""
    names = [NAME.fullmatch(file.name) for file in _state_files(folder)]
    return int(names[0].group(1)) if names and names[0] else None


def remove_states(folder: Path) -> None:
    """Remove all states of a folder. Raises EnvironmentFault where that is not permitted."""
    try:
        for file in _state_files(folder):
            file.unlink()
            file.with_suffix(".safetensors").unlink(missing_ok=True)
    except OSError as error:
        raise EnvironmentFault(f"cannot be removed: {error.strerror}", file=folder) from error


class _UnreadableError(Exception):
    """A state that is not whole."""


def _state_files(folder: Path) -> list[Path]:
    """The JSON files of a folder's states, the newest first."""
    return sorted((file for file in folder.glob("state-*.json") if NAME.fullmatch(file.name)), reverse=True)


def _read(file: Path, recipe_digest: str) -> SavedState:
    weights_file = file.with_suffix(".safetensors")
    try:
        found = _StateFile.model_validate(read_json(file, EnvironmentFault))
        data = weights_file.read_bytes()
    except ValidationError as error:
        raise _UnreadableError(explain_validation_error(error, _StateFile)) from error
    except (OSError, EnvironmentFault) as error:
        raise _UnreadableError(str(error)) from error
    if found.recipe != recipe_digest:
        raise EnvironmentFault(
            "the state of a training with another recipe, plan or split",
            file=file,
            expected="the same, or another number of steps alone",
            hint="--fresh starts the training anew",
        )
    if hashlib.sha256(data).hexdigest() != found.sha256:
        raise _UnreadableError("its safetensors file has another sha256")
    try:
        tensors = safetensors.torch.load(data)
    except (SafetensorError, ValueError) as error:
        raise _UnreadableError(str(error)) from error
    return SavedState(_counters(found), tensors)


def _counters(found: _StateFile) -> Counters:
    best = math.inf if found.plateau_best is None else found.plateau_best
    plateau = Plateau(best, found.plateau_waited, found.plateau_reductions)
    return Counters(
        found.step,
        plateau,
        found.accumulate,
        found.skipped,
        found.best,
        dict(found.scaler),
        found.validations,
    )
