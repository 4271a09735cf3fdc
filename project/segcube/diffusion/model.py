"""The folder of a generative model: model.yaml, what it was trained on, and where its files lie."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import safetensors.torch
import torch
import yaml
from pydantic import Field
from safetensors import SafetensorError

from segcube.core import (
    LIST_LIMITS,
    BoundedShape,
    EnvironmentFault,
    FileName,
    Name,
    Sha256,
    StrictModel,
    UsageError,
    read_model,
    write_atomic,
)
from segcube.diffusion.recipe import DiffusionRecipe
from segcube.spec.challenges import Challenge
from segcube.spec.submission import Branch, read_challenge, sha256_of
from segcube.training import PatchRules
from segcube.training.cache import CachedCase, CacheRules, open_cache
from segcube.training.recipes import Sampling


class Adapters(StrictModel):
    """Low-rank adapters: on which layers, of which rank and scale."""

    layers: Annotated[tuple[str, ...], Field(min_length=1)]
    """Patterns of their names."""
    rank: Annotated[int, Field(ge=1, le=1024)] = 8
    alpha: Annotated[float, Field(gt=0.0)] = 8.0


class Base(StrictModel):
    """The model whose weights a training started from."""

    folder: Path
    sha256: Sha256
    """Of its weights."""
    adapters: Adapters | None = None
    """None where all weights were trained."""


class TrainedCase(StrictModel):
    """A case that a model was trained on."""

    name: Name
    patient: Name
    digest: Sha256
    """Of its cached arrays."""


class ModelFile(StrictModel):
    """model.yaml.

    patch: voxels of an image. cases: that the model was trained on. patients: of these and of the base's
    cases, with the names of the cases; none of them may be validated where the model's samples train.
    """

    format: Literal[1] = 1
    challenge: FileName
    recipe: DiffusionRecipe
    branch: Branch
    patch: BoundedShape
    ignore_value: Annotated[int, Field(ge=0, le=65535)] | None = None
    cases: Annotated[tuple[TrainedCase, ...], Field(min_length=1)]
    patients: Annotated[tuple[Name, ...], Field(min_length=1)]
    first_number: Annotated[int, Field(ge=1)] = 1
    """From which on no name of a sample is of a patient of the run."""
    base: Base | None = None

    @property
    def digest(self) -> str:
        """Of all that a step depends on; a saved state has to match it."""
        content: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        del content["recipe"]["steps"], content["patients"], content["first_number"]
        if content["base"] is not None:
            del content["base"]["folder"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def origin(self) -> str:
        """Digest of whose cases the samples are made from, and of their first number."""
        content = json.dumps([sorted(self.patients), self.first_number])
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def patch_rules(self) -> PatchRules:
        """How images and label maps are cut from cases: at any place, but within the case."""
        recipe = self.recipe
        sampling = Sampling(foreground=0.0, draw="probability", position="inside")
        return PatchRules(self.branch, self.patch, recipe.batch, recipe.steps, sampling, recipe.augmentation)

    def rules(self, challenge: Challenge) -> CacheRules:
        """Return how its cases are cached."""
        return CacheRules(self.branch, challenge, self.ignore_value)


class Trained(StrictModel):
    """trained.json, written after final.safetensors."""

    steps: Annotated[int, Field(ge=1)]
    sha256: Sha256
    digest: Sha256
    """Of the ModelFile that it was trained with."""
    origin: Sha256
    """Of the patients in it."""


@dataclass(frozen=True)
class ModelFolder:
    """The files of a model; cache/, states and log.jsonl are those of its training."""

    root: Path

    @property
    def model(self) -> Path:
        """ModelFile."""
        return self.root / "model.yaml"

    @property
    def cache(self) -> Path:
        """The training cases on the model's grid."""
        return self.root / "cache"

    @property
    def log(self) -> Path:
        """Steps and losses."""
        return self.root / "log.jsonl"

    @property
    def final(self) -> Path:
        """The averaged weights after the last step, adapters merged."""
        return self.root / "final.safetensors"

    @property
    def trained(self) -> Path:
        """Trained."""
        return self.root / "trained.json"


def read_model_file(folder: ModelFolder) -> tuple[ModelFile, Challenge]:
    """Read model.yaml and its challenge. Raises UsageError where there is none, or an invalid one."""
    if not folder.model.is_file():
        hint = "segcube synthesize train writes it"
        raise UsageError("no model.yaml", file=folder.root, expected="the folder of a model", hint=hint)
    file = read_model(folder.model, ModelFile, UsageError, LIST_LIMITS)
    return file, read_challenge(file.challenge, folder.root)


def write_model_file(file: ModelFile, folder: ModelFolder) -> None:
    """Write model.yaml atomically."""
    content = yaml.safe_dump(file.model_dump(mode="json", by_alias=True), sort_keys=False, width=110)
    write_atomic(folder.model, content.encode())


def read_trained(folder: ModelFolder) -> Trained | None:
    """Read trained.json; None before the training is finished. Raises EnvironmentFault for an invalid one."""
    complete = folder.trained.is_file() and folder.final.is_file()
    return read_model(folder.trained, Trained, EnvironmentFault) if complete else None


def read_weights(folder: ModelFolder) -> dict[str, torch.Tensor]:
    """Read the weights of a finished training.

    Raises UsageError before it is finished, EnvironmentFault where its files changed since.
    """
    trained = read_trained(folder)
    if trained is None:
        hint = "the command segcube synthesize train that started it continues it"
        raise UsageError("no weights", file=folder.root, expected="a finished training", hint=hint)
    if sha256_of(folder.final) != trained.sha256:
        found = "is not the file that the training wrote"
        expected, hint = f"sha256 {trained.sha256[:12]}...", "restore it, or train anew with --fresh"
        raise EnvironmentFault(found, file=folder.final, expected=expected, hint=hint)
    file, _ = read_model_file(folder)
    if (file.digest, file.origin) != (trained.digest, trained.origin):
        found = "is not what the weights were trained with"
        raise EnvironmentFault(found, file=folder.model, hint="restore it, or train anew with --fresh")
    try:
        return safetensors.torch.load_file(folder.final)
    except (OSError, SafetensorError) as error:
        raise EnvironmentFault(f"cannot be read: {error}", file=folder.final) from error


def open_examples(folder: ModelFolder, file: ModelFile, challenge: Challenge) -> tuple[CachedCase, ...]:
    """Open the cached cases that a model was trained on.

    Raises EnvironmentFault where they are missing, or no longer those that it was trained on.
    """
    hint = "the command segcube synthesize train that wrote the model, with the same data, restores it"
    try:
        cases = open_cache(folder.cache, [case.name for case in file.cases], file.rules(challenge))
    except EnvironmentFault as error:
        raise EnvironmentFault(error.found, file=error.file, hint=hint) from error
    for case, known in zip(cases, file.cases, strict=True):
        if case.record.digest != known.digest:
            found = f"case {case.name} is not what the model was trained on"
            raise EnvironmentFault(found, file=folder.cache / case.name, hint=hint)
    return cases
