"""The main path: the way of a case from its channels to its label map."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from segcube.core import Clock, Prediction, Volume
from segcube.inference.cascade import Prefetched, StageResult, decide_stage, stage_input_of
from segcube.inference.merge import StageOutput
from segcube.inference.models import Models
from segcube.inference.probabilities import Keep, save_probabilities
from segcube.inference.stage import StageRun
from segcube.spec.submission import Member, Stage
from segcube.transforms import StageInput, label_map, whole_case

OnStage = Callable[[str], None]
OnReleased = Callable[[], None]


def predict_volume(
    volume: Volume,
    models: Models,
    on_stage: OnStage = lambda _: None,
    keep: Keep | None = None,
    on_released: OnReleased | None = None,
    ahead: Prefetched | None = None,
) -> Prediction:
    """Predict a case: stage after stage, then regions, components and labels.

    on_stage: told each stage's name as it begins. on_spent: called as soon as nothing needs the volume's
    voxels any more, which are then let go; None keeps them. ahead: images that were prepared before,
    which are taken out. Raises CaseError, or EnvironmentFault when probabilities cannot be kept.
    """
    submission = models.loaded.submission
    clock, notices = Clock(), list(volume.notices)
    handed: dict[str, StageResult] = {}
    merged: StageOutput | None = None
    for stage in submission.stages:
        on_stage(stage.name)
        if merged is not None:
            with clock.step("cascade"):
                handed[merged.stage] = decide_stage(merged)
            merged = None
        stage_input = _view(stage, handed, volume)
        notices += stage_input.notices
        is_last = stage is submission.stages[-1]
        on_member = _member_keeper(volume, keep if is_last else None)
        merged = StageRun(
            stage,
            volume,
            stage_input,
            models,
            clock,
            on_member,
            on_released if is_last else None,
            labels_only=not (is_last and keep),
            ahead=(ahead or {}).get(stage.name, []),
        ).run()
    assert merged is not None, "the schema asks for a stage"
    with clock.step("labels"):
        labels_xyz = label_map(merged, submission.postprocess, models.loaded.challenge)
    if keep is not None:
        save_probabilities(merged, volume.grid, keep.file(volume.case.name), keep.fingerprint)
    return Prediction(volume.case, labels_xyz, volume.grid, volume.forms, tuple(notices), clock.seconds)


def _view(stage: Stage, handed: dict[str, StageResult], volume: Volume) -> StageInput:
    if stage.follows is None:
        return whole_case(volume.grid.shape)
    return stage_input_of(stage.follows, handed[stage.follows.stage], volume.grid)


def _member_keeper(volume: Volume, keep: Keep | None) -> Callable[[Member, StageOutput], None] | None:
    if keep is None or not keep.each_member:
        return None

    def write(member: Member, alone: StageOutput) -> None:
        file = keep.file(volume.case.name, member)
        save_probabilities(alone, volume.grid, file, keep.fingerprint, np.float16)

    return write
