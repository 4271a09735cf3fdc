"""What became of a case, and what a run tells the shell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segcube.challenges import Challenge
from segcube.choices import OnError
from segcube.errors import CaseError, ExitCode
from segcube.report import CaseReport
from segcube.types import Case, Prediction
from segcube.volumes import read_grid

SOUND = ("done", "kept")


def prediction_report(prediction: Prediction, challenge: Challenge, output: str) -> CaseReport:
    """The report of a finished case: seconds a step, voxels and millilitres a label."""
    labels_xyz = prediction.labels_xyz
    voxels = {name: int(np.count_nonzero(labels_xyz == value)) for name, value in challenge.labels.items()}
    millilitres = {name: round(count * prediction.grid.millilitres, 3) for name, count in voxels.items()}
    return CaseReport(
        case=prediction.case.name,
        status="done",
        notices=prediction.notices,
        seconds={step: round(seconds, 3) for step, seconds in prediction.seconds.items()},
        voxels=voxels,
        millilitres=millilitres,
        output=output,
    )


def failed_report(case: str, error: CaseError, output: str | None) -> CaseReport:
    """The report of a bad case: empty when a background map stands in for it, else failed."""
    status = "empty" if output else "failed"
    return CaseReport(case, status, code=str(error.code), message=str(error), output=output)


def background_map(case: Case) -> Prediction | None:
    """A map of background on the reference channel's grid; None if not even its header can be read."""
    if case.reference not in case.files:
        return None
    try:
        grid, forms = read_grid(case.reference_file)
    except CaseError:
        return None
    return Prediction(case, np.zeros(grid.shape, dtype=np.uint8), grid, forms)


def exit_code(cases: Sequence[CaseReport], on_error: OnError) -> ExitCode:
    """0, 3 or 4 by the table of on_error; a run without cases has done none."""
    bad = sum(case.status not in SOUND for case in cases)
    if cases and bad == 0:
        return ExitCode.DONE
    if on_error == "stop" and bad:
        return ExitCode.SOME_FAILED
    if bad == len(cases):
        return ExitCode.NONE_DONE
    return ExitCode.DONE if on_error == "empty" else ExitCode.SOME_FAILED
