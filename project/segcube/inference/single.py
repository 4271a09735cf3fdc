"""Load a submission's networks, and predict single cases with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segcube.backends import open_backend
from segcube.core import LOG, Case, CaseError, Clock, Code, Prediction, RunSettings, Volume
from segcube.formats.nifti import read_volume
from segcube.inference.cascade import StageResult, stage_input_of
from segcube.inference.models import Models, warn_of_starter
from segcube.inference.pipeline import CaseContext, predict_stage, predict_volume
from segcube.spec.submission import Follows, at_preset, load_for_challenge
from segcube.transforms import label_map


def load_models(folder: Path, settings: RunSettings) -> Models:
    """Load a submission's weights to the device of the settings; messages go to the logger `segcube`.

    Raises EnvironmentFault for weights or a device that cannot be used, UsageError for a challenge that the
    submission does not serve.
    """
    loaded = at_preset(load_for_challenge(folder, settings.challenge), settings)
    warn_of_starter(loaded.submission)
    backend = open_backend(settings, loaded, LOG.warning)
    models = Models(loaded, backend, settings.mirroring, LOG.warning)
    models.load_all()
    return models


def predict_case(case: Case, models: Models, with_probabilities: bool = False) -> Prediction:
    """Read and predict one case; several threads may call it. Raises CaseError."""
    challenge = models.loaded.challenge
    if missing := [name for name in challenge.channel_names if name not in case.files]:
        raise CaseError(
            Code.MISSING_MODALITY,
            f"{case.name}: no file for {', '.join(missing)}",
            expected=", ".join(challenge.channel_names),
        )
    return predict_in_turn(read_volume(case, challenge.channel_names, challenge), models, with_probabilities)


def predict_after(case: Case, result: StageResult, follows: Follows, models: Models) -> np.ndarray:
    """Predict one case by a submission's only stage, as it follows a first one that was predicted before.

    result: of the first stage, on the case's grid; follows.paint is applied to it. Returns the label map.
    Raises CaseError.
    """
    loaded = models.loaded
    volume = read_volume(case, loaded.challenge.channel_names, loaded.challenge)
    stage_input = stage_input_of(follows, result, volume.grid)
    with models.reserved():
        output = predict_stage(loaded.submission.stages[0], stage_input, CaseContext(volume, models, Clock()))
        return label_map(output, loaded.submission.postprocess, loaded.challenge)


def predict_in_turn(volume: Volume, models: Models, with_probabilities: bool = False) -> Prediction:
    """Predict a volume once no other thread uses the networks; its voxels are released. Raises CaseError."""
    with models.reserved():
        return predict_volume(volume, models, with_probabilities=with_probabilities, on_released=lambda: None)
