"""The main path of a case: from its channels to its label map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from segcube.core import Clock, Prediction, Volume
from segcube.inference.activation import channel_matrix
from segcube.inference.branch import run_branch
from segcube.inference.cascade import StageResult, decide_stage, stage_input_of
from segcube.inference.ensemble import BranchTask, Needs
from segcube.inference.merge import BranchLabels, BranchOutput, StageOutput
from segcube.inference.models import Models
from segcube.inference.probabilities import SavedProbabilities, native_probabilities, save_probabilities
from segcube.inference.windows import plan_branch_windows
from segcube.spec.submission import Stage
from segcube.transforms import PreparedImage, StageInput, label_map, prepare_branch, whole_case

OnStage = Callable[[str], None]
OnReleased = Callable[[], None]
PreparedStages = dict[str, list[PreparedImage]]
"""By stage, the images of its branches in their order; each is removed when it is used."""


@dataclass(frozen=True)
class CaseContext:
    """What every stage of a case uses."""

    volume: Volume
    models: Models
    clock: Clock
    prefetched: PreparedStages = field(default_factory=PreparedStages)


def predict_volume(
    volume: Volume,
    models: Models,
    *,
    on_stage: OnStage = lambda _: None,
    save: SavedProbabilities | None = None,
    with_probabilities: bool = False,
    on_released: OnReleased | None = None,
    prefetched: PreparedStages | None = None,
) -> Prediction:
    """Predict a case: stage after stage, then the submission's rules, then the label map.

    on_stage: called with each stage's name as it begins. save: where the last stage's probabilities are
    saved. with_probabilities: the prediction holds them. on_released: called once no branch needs the
    volume's voxels, which are released before; None keeps them. prefetched: images that were prepared
    beforehand; each is removed when it is used. Raises CaseError, or EnvironmentFault when probabilities
    cannot be saved.
    """
    submission = models.loaded.submission
    needs: Needs = "probabilities" if save is not None or with_probabilities else "labels"
    if save is not None and save.each_member:
        needs = "members"
    case = CaseContext(volume, models, Clock(), prefetched or {})
    notices = list(volume.notices)
    results: dict[str, StageResult] = {}
    output: StageOutput | None = None
    for stage in submission.stages:
        on_stage(stage.name)
        if output is not None:
            with case.clock.step("cascade"):
                results[output.stage] = decide_stage(output)
            output = None
        follows, grid = stage.follows, volume.grid
        if follows is None:
            stage_input = whole_case(grid.shape)
        else:
            stage_input = stage_input_of(follows, results[follows.stage], grid)
        notices += stage_input.notices
        if stage is submission.stages[-1]:
            output = predict_stage(stage, stage_input, case, needs, on_released)
        else:
            output = predict_stage(stage, stage_input, case)
    assert output is not None, "a submission has at least one stage"
    with case.clock.step("postprocess"):
        labels_xyz = label_map(output, submission.postprocess, models.loaded.challenge)
    if save is not None:
        with case.clock.step("save"):
            _save(output, volume, save)
    return Prediction(
        volume.case,
        labels_xyz,
        volume.grid,
        volume.forms,
        tuple(notices),
        case.clock.seconds,
        native_probabilities(output) if with_probabilities else None,
        output.names if with_probabilities else (),
    )


def prepare_first_stages(volume: Volume, stages: Sequence[Stage]) -> PreparedStages:
    """Prepare every branch of the stages that follow no other; without later stages, release the voxels.

    Raises CaseError as `prepare` does.
    """
    stage_input = whole_case(volume.grid.shape)
    first = [stage for stage in stages if stage.follows is None]
    prepared = {
        stage.name: [prepare_branch(volume, stage_input, branch) for branch in stage.branches]
        for stage in first
    }
    if len(first) == len(stages):
        volume.release_voxels()
    return prepared


def predict_stage(
    stage: Stage,
    stage_input: StageInput,
    case: CaseContext,
    needs: Needs = "labels",
    on_released: OnReleased | None = None,
) -> StageOutput:
    """Predict a stage: prepare the image of each branch, run its windows, mirrored views and members, merge.

    needs: of the output. on_released: as in `predict_volume`, of the last stage. Raises CaseError.
    """
    volume, models, clock = case.volume, case.models, case.clock
    images = case.prefetched.get(stage.name, [])
    outputs: list[BranchOutput | BranchLabels] = []
    for branch in () if stage_input.empty else stage.branches:
        with clock.step("preprocess"):
            prepared = images.pop(0) if images else prepare_branch(volume, stage_input, branch)
        if on_released is not None and branch is stage.branches[-1]:
            volume.release_voxels()
            on_released()
        with clock.step(f"windows {stage.name}"):
            plan = plan_branch_windows(branch, prepared, stage_input)
            matrix_rk = channel_matrix(stage, branch, models.loaded.challenge)
            task = BranchTask(stage, branch, prepared, plan, matrix_rk, models.mirroring, needs)
            outputs.append(run_branch(task, models, clock, volume.case.name))
        # The image is not held while the next one is prepared or the branches are merged
        del prepared, task
    gate_xyz, shape = stage_input.gate_xyz, volume.grid.shape
    branches, frame = tuple(outputs), stage_input.frame
    return StageOutput(
        stage.name, stage.names, stage.kind, stage.merge, shape, branches, frame, gate_xyz, clock
    )


def _save(output: StageOutput, volume: Volume, save: SavedProbabilities) -> None:
    """Save the last stage's probabilities, and each member's where the run keeps them."""
    save_probabilities(output, volume.grid, save.file(volume.case.name), save.fingerprint)
    for member, alone in output.members():
        file = save.file(volume.case.name, member)
        save_probabilities(alone, volume.grid, file, save.fingerprint, np.float16)
