"""Images prepared before their stage begins, while another case is on the device."""

from __future__ import annotations

from collections.abc import Sequence

from segcube.predict.earlier import whole_view
from segcube.predict.prepare import Prepared, prepare_branch
from segcube.submission import Stage
from segcube.types import Volume

Ahead = dict[str, list[Prepared]]
"""By stage, the images of its branches in their order; whoever uses one takes it out, so that it goes."""


def prepare_ahead(volume: Volume, stages: Sequence[Stage]) -> Ahead:
    """Prepare every branch of the stages that follow none; without another stage, let the voxels go.

    Raises CaseError as `prepare` does.
    """
    view = whole_view(volume.grid.shape)
    first = [stage for stage in stages if stage.follows is None]
    prepared = {
        stage.name: [prepare_branch(volume, view, branch) for branch in stage.branches] for stage in first
    }
    if len(first) == len(stages):
        volume.let_go()
    return prepared
