"""The cases that a model is trained on: those of a run's fold, cached on the model's grid."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segcube.core import LOG, EnvironmentFault, Shape, UsageError, count_of
from segcube.diffusion.model import (
    Adapters,
    Base,
    ModelFile,
    ModelFolder,
    TrainedCase,
    read_model_file,
    read_weights,
)
from segcube.diffusion.recipe import DiffusionRecipe
from segcube.phantoms import case_name
from segcube.spec.challenges import Challenge
from segcube.spec.submission import Branch, Normalize, Resampling, Window, sha256_of
from segcube.training import IGNORE
from segcube.training.cache import CachedCase, CacheRules, open_cache, prepare_cases
from segcube.training.cases import LabelledCase
from segcube.training.plan import Plan, read_plan
from segcube.training.run import FoldNumber, RunFolder, labelled_cases, read_dataset, run_challenge, run_folds

MOST_NUMBER = 100_000
"""Numbers in the names of samples."""
MOST_VOXELS = 2**24
"""Of a patch: a larger one is a mistake in the recipe's spacing."""


@dataclass(frozen=True)
class ModelRequest:
    """A model to train: on which cases, by which recipe, from which weights.

    base: a model to start from. adapters: to train in place of all its weights.
    """

    run: RunFolder
    fold: FoldNumber
    recipe: DiffusionRecipe
    base: Path | None = None
    adapters: Adapters | None = None


@dataclass(frozen=True)
class Selection:
    """What a request asks for, before any file is written."""

    request: ModelRequest
    plan: Plan
    challenge: Challenge
    rules: CacheRules
    cases: tuple[LabelledCase, ...]
    """The training cases of the fold."""
    patients: frozenset[str]
    """Of all cases of the run."""
    sampled: frozenset[str]
    """Patients from whose cases samples among the run's data, or the base, were made."""
    base: Base | None


@dataclass(frozen=True)
class Examples:
    """What a model is trained on."""

    file: ModelFile
    challenge: Challenge
    cases: tuple[CachedCase, ...]


def select_cases(request: ModelRequest, folder: ModelFolder) -> Selection:
    """Find the training cases of a fold and how they are prepared; nothing is written.

    Raises UsageError for a fold that does not exist, intensities that samples could not be written in, and a
    base of other channels, labels or network.
    """
    run = request.run
    if request.base is not None and request.base.resolve() == folder.root.resolve():
        found = "is both the new model and the one to start from"
        raise UsageError(found, file=folder.root, expected="another folder")
    dataset, plan = read_dataset(run), read_plan(run.plan)
    challenge, names = run_challenge(run, plan), run_folds(run, dataset).split(request.fold).training
    if challenge.format != "nifti":
        raise UsageError(f"cases in {challenge.format.upper()}", file=run.root, expected="scans in NIfTI")
    known = {case.name: case for case in labelled_cases(run, dataset)}
    rules = CacheRules(model_branch(plan, request.recipe, challenge), challenge, dataset.ignore_value)
    base, before = _base_of(request, rules)
    return Selection(
        request,
        plan,
        challenge,
        rules,
        tuple(known[name] for name in names),
        frozenset(case.patient for case in known.values()),
        frozenset(before).union(*(source.patients for source in dataset.sources)),
        base,
    )


def prepare_examples(selection: Selection, folder: ModelFolder) -> Examples:
    """Cache the selected cases on the model's grid, and describe the model.

    A case that cannot be prepared or has ignored voxels, of which no image can be learned, is logged and left
    out. Raises UsageError for a patch that is too large, EnvironmentFault where no case can be prepared.
    """
    recipe, rules = selection.request.recipe, selection.rules
    cases = _cached(selection.cases, rules, folder.cache)
    if not cases:
        found = f"none of {count_of(len(selection.cases), 'case')} can be prepared"
        raise EnvironmentFault(found, file=selection.request.run.root, hint="see the warnings above")
    patch = recipe.patch or _patch_of([case.shape for case in cases], recipe)
    patient_of = {case.name: case.patient for case in selection.cases}
    trained = tuple(
        TrainedCase(name=case.name, patient=patient_of[case.name], digest=case.record.digest)
        for case in cases
    )
    file = ModelFile(
        challenge=selection.plan.challenge,
        recipe=recipe,
        branch=rules.branch.model_copy(update={"window": Window(size=patch)}),
        patch=patch,
        ignore_value=rules.ignore,
        cases=trained,
        patients=tuple(sorted(selection.sampled.union(*((case.patient, case.name) for case in trained)))),
        first_number=_free_number(selection.patients, selection.challenge),
        base=selection.base,
    )
    return Examples(file, selection.challenge, cases)


def model_branch(plan: Plan, recipe: DiffusionRecipe, challenge: Challenge) -> Branch:
    """Return the preprocessing of a model's cases: z-scores of each channel on its grid, axes x, y, z.

    Raises UsageError for channels whose intensities have a unit, such as CT: samples are z-scores.
    """
    branch = plan.branch
    schemes = [branch.normalize_of(index) for index in range(len(branch.channels))]
    for name, scheme in zip(branch.channels, schemes, strict=True):
        if scheme.scheme in ("ct", "none"):
            raise UsageError(
                f"channel {name} is normalised by {scheme.scheme}: its intensities have a unit",
                expected="channels of MRI, which are z-scored; samples have no unit",
            )
    masked = all(scheme.mask != "none" for scheme in schemes)
    return branch.model_copy(
        update={
            "axes": "xyz",
            "orientation": _orientation(challenge),
            "normalize": Normalize(scheme="zscore", mask="foreground" if masked else "none"),
            "spacing": recipe.spacing,
            "resampling": Resampling(image=1, separate_z="never"),
            "flips": (),
        }
    )


def _orientation(challenge: Challenge) -> str:
    """The direction of the challenge's axes where they are along x, y and z; otherwise RAS."""
    usual = challenge.geometry.grids[0].orientation
    along = usual is not None and all(
        letter in pair for letter, pair in zip(usual, ("LR", "PA", "IS"), strict=True)
    )
    return usual if usual is not None and along else "RAS"


def _cached(cases: Sequence[LabelledCase], rules: CacheRules, cache: Path) -> tuple[CachedCase, ...]:
    usable: list[str] = []
    for outcome in prepare_cases(cases, rules, cache):
        if outcome.error is None:
            usable.append(outcome.name)
        else:
            LOG.warning("%s: left out: %s", outcome.name, outcome.error)
    opened = open_cache(cache, sorted(usable), rules, {case.name: case for case in cases})
    return tuple(case for case in opened if rules.ignore is None or not _has_ignored(case))


def _has_ignored(case: CachedCase) -> bool:
    found = bool(np.any(case.labels_xyz == IGNORE))
    if found:
        LOG.warning("%s: left out: its label map has ignored voxels, which samples would show", case.name)
    return found


def _patch_of(shapes: Sequence[Shape], recipe: DiffusionRecipe) -> Shape:
    """The size of the largest case, rounded up to what the network needs."""
    multiple = recipe.network.multiple
    x, y, z = (-(-max(lengths) // multiple) * multiple for lengths in zip(*shapes, strict=True))
    if x * y * z > MOST_VOXELS:
        found = f"cases of up to {x} x {y} x {z} voxels"
        raise UsageError(
            found, expected=f"at most {MOST_VOXELS:,} voxels", hint="set a coarser spacing or a patch"
        )
    return x, y, z


def _free_number(patients: Collection[str], challenge: Challenge) -> int:
    """The number after the last one of a phantom whose name is that of a patient."""
    last = 0
    for number in range(1, MOST_NUMBER):
        name = case_name(challenge, number - 1)
        if not challenge.is_case(name):
            break
        if challenge.patient_of(name) in patients:
            last = number
    return last + 1


def _base_of(request: ModelRequest, rules: CacheRules) -> tuple[Base | None, set[str]]:
    """The model that a training starts from, and the patients that it was trained on."""
    if request.base is None:
        if request.adapters is not None:
            raise UsageError("adapters without a model to adapt", expected="--init MODEL with --lora")
        return None, set()
    folder = ModelFolder(request.base)
    file, known = read_model_file(folder)
    own, other = request.recipe, file.recipe
    # Their order is that of the network's input
    if (file.branch.channels, file.rules(known).labels) != (rules.branch.channels, rules.labels):
        expected = f"one with the channels and labels of {rules.challenge.key}"
        raise UsageError(f"a model of {known.key}", file=folder.root, expected=expected)
    for key in ("network", "spacing"):
        if getattr(own, key) != getattr(other, key):
            hint = f"start with --recipe {other.name}, or copy {key} from {folder.model}"
            raise UsageError(
                f"a model of another {key}", file=folder.root, expected="that of the recipe", hint=hint
            )
    if own.process.kind != other.process.kind:
        found = f"a model of {other.process.kind}"
        raise UsageError(found, file=folder.root, expected=own.process.kind)
    read_weights(folder)
    base = Base(folder=folder.root.resolve(), sha256=sha256_of(folder.final), adapters=request.adapters)
    return base, set(file.patients)
