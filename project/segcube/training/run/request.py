"""What a run is planned from: the request, the cases that it finds, and dataset.yaml, which lists them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from segcube.core import UsageError
from segcube.spec.challenges import BACKGROUND, Challenge, load_challenge
from segcube.training.cases import (
    ExtraData,
    ExtraRules,
    LabelledCase,
    LabelledData,
    add_extra_cases,
    find_labelled_cases,
    origin_of_samples,
)
from segcube.training.recipes import Recipe, load_recipe
from segcube.training.run.cases import CaseEntry, DatasetFile, SourceEntry

OWN_CHALLENGE = "challenge.yaml"
"""Name in the run's folder of the file of a challenge that the user defined."""


@dataclass(frozen=True)
class PlanRequest:
    """A data set, and how to train on it.

    challenge: a key or a YAML file. labels: a folder of label maps that do not lie beside the images. ignore:
    the value of voxels that take no part. folds: their number, or a file of folds; None for five, or one a
    patient where there are fewer. plans: in place of the planner, plans.json of nnU-Net, and its
    configuration, or plan.yaml of another run. device: that the batch has to fit on. memory_gb: that a step
    may take; None for all. extra: further data folders, and extra_rules what holds for all of them. previous:
    the run of a cascade's first stage; its folds are the default then.
    """

    data: Path
    challenge: str
    recipe: Recipe = field(default_factory=lambda: load_recipe("nnunet"))
    labels: Path | None = None
    ignore: int | None = None
    folds: int | Path | None = None
    plans: Path | None = None
    configuration: str = "3d_fullres"
    device: str = "auto"
    memory_gb: float | None = None
    extra: tuple[ExtraData, ...] = ()
    extra_rules: ExtraRules = field(default_factory=ExtraRules)
    previous: Path | None = None


def requested_challenge(request: PlanRequest) -> Challenge:
    """Return the challenge of a request; with a region of all labels, where its recipe asks for one."""
    challenge = load_challenge(request.challenge)
    union = request.recipe.preprocessing.union
    return challenge if union is None else union_of(challenge, union)


def union_of(challenge: Challenge, name: str) -> Challenge:
    """Return a challenge with one region, of all labels but the background."""
    labels = tuple(label for label in challenge.labels if label != BACKGROUND)
    changes = {
        "key": f"{challenge.key}-{name}".lower(),
        "regions": {name: labels},
        "scored": (name,),
        "write": ({"region": name, "label": labels[0]},),
        "metrics": {"profile": "plain"},
    }
    return Challenge.model_validate(challenge.model_dump(exclude={"metrics"}) | changes)


def find_data(request: PlanRequest) -> LabelledData:
    """Find the labelled cases of all data folders.

    Raises as `find_labelled_cases` and `add_extra_cases` do.
    """
    challenge = requested_challenge(request)
    data = find_labelled_cases(request.data, challenge, request.labels, request.ignore)
    if origin_of_samples(request.data, data.cases) is not None:
        raise UsageError(
            "holds samples of a generative model, which are never validated",
            file=request.data,
            expected="--extra for this folder, and another one as DATA",
        )
    return add_extra_cases(data, request.extra, request.extra_rules)


def dataset_of(data: LabelledData, request: PlanRequest) -> DatasetFile:
    """Return dataset.yaml of the cases that were found for a request."""
    sources = tuple(
        SourceEntry(
            data=extra.folder.absolute(),
            challenge=_stored_extra(number, extra, request),
            labels=dict(source.names),
            ignore_value=source.ignore,
            in_folds=source.in_folds,
            patients=source.patients,
        )
        for number, (extra, source) in enumerate(zip(request.extra, data.sources, strict=True))
    )
    return DatasetFile(
        data=data.folder.absolute(),
        challenge=stored_challenge(request),
        reference=data.challenge.reference,
        components=data.challenge.components,
        ignore_value=data.ignore_value,
        sources=sources,
        cases=tuple(_entry(case, data) for case in data.cases),
    )


def stored_challenge(request: PlanRequest) -> str:
    """Return how the files of a run name its challenge: by its key, or by a file in the run's folder."""
    is_own = _is_file(request.challenge) or request.recipe.preprocessing.union is not None
    return OWN_CHALLENGE if is_own else load_challenge(request.challenge).key


def challenge_files(request: PlanRequest) -> dict[str, bytes]:
    """Return the challenges that the user or the recipe defined, by the names of their files in a run."""
    files: dict[str, bytes] = {}
    if request.recipe.preprocessing.union is not None:
        content = requested_challenge(request).model_dump(mode="json")
        files[OWN_CHALLENGE] = yaml.safe_dump(content, sort_keys=False, width=110).encode()
    elif _is_file(request.challenge):
        files[OWN_CHALLENGE] = Path(request.challenge).read_bytes()
    for number, extra in enumerate(request.extra):
        if extra.challenge is not None and _is_file(extra.challenge):
            files[_stored_extra(number, extra, request)] = Path(extra.challenge).read_bytes()
    return files


def _stored_extra(number: int, extra: ExtraData, request: PlanRequest) -> str:
    if extra.challenge is None:
        return stored_challenge(request)
    is_own = _is_file(extra.challenge)
    return f"challenge-extra-{number}.yaml" if is_own else load_challenge(extra.challenge).key


def _is_file(challenge: str) -> bool:
    return Path(challenge).suffix in (".yaml", ".yml")


def _entry(case: LabelledCase, data: LabelledData) -> CaseEntry:
    return CaseEntry(
        name=case.name,
        files={channel: file.absolute() for channel, file in case.case.files.items()},
        label=case.label.absolute(),
        patient=case.patient,
        source=next((number for number, one in enumerate(data.sources) if one is case.source), None),
    )
