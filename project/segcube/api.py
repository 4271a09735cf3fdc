"""The Python API: load a submission once, then predict cases, arrays and folders with it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from segcube import networks
from segcube.core import (
    BackendName,
    Case,
    OnError,
    Precision,
    Preset,
    RunSettings,
    UsageError,
    as_path,
    naming_missing_packages,
    resolve_settings,
)
from segcube.core import Prediction as CasePrediction
from segcube.formats import case_of, volume_of
from segcube.inference import Models, Prediction, load_models, predict_case, predict_in_turn
from segcube.inference.folder import OnCase, Request, RunReport, predict_folder
from segcube.spec.challenges import Challenge

if TYPE_CHECKING:
    from torch import nn

PathLike: TypeAlias = "str | os.PathLike[str]"


class Model:
    """A loaded submission; `predict` may be called from any thread.

    Threads read their cases in parallel and use the networks one after the other.
    """

    def __init__(self, folder: PathLike, settings: RunSettings) -> None:
        models = load_models(as_path(folder, "the submission"), settings)
        self._models: Models | None = models
        self._challenge = models.loaded.challenge
        self._settings = settings

    @property
    def name(self) -> str:
        """The submission's name."""
        return self._open.loaded.submission.name

    @property
    def challenge(self) -> Challenge:
        """The challenge: channels, labels, regions, file names."""
        return self._challenge

    @property
    def device(self) -> str:
        """The device that the networks run on: cpu or cuda:N."""
        return self._open.backend.device

    @property
    def description(self) -> str:
        """Backend, device and precision, and why these."""
        return self._open.backend.reason

    def predict(
        self, case: Mapping[str, PathLike] | PathLike | Case, *, probabilities: bool = False
    ) -> Prediction:
        """Predict one case.

        case: a file for each of the challenge's channels, the folder of one case, or a Case. probabilities:
        the prediction holds the last stage's probabilities as well. Raises CaseError for a bad case, and
        UsageError for a folder of no or several cases, or in a process that was forked after loading.
        """
        return self._own(predict_case(case_of(case, self.challenge), self._open, probabilities))

    def predict_array(
        self,
        image_cxyz: NDArray[np.number[Any]],
        affine: NDArray[np.floating[Any]],
        *,
        channels: Sequence[str] | None = None,
        name: str = "array",
        probabilities: bool = False,
    ) -> Prediction:
        """Predict a case that is in memory.

        image_cxyz: (C, X, Y, Z), in nibabel's axis order. affine: (4, 4), from voxel to millimetre (RAS+).
        channels: the name of each channel; None for the challenge's channels in its order. name: of the case,
        in messages and file names. Raises UsageError for other shapes or channels, CaseError for intensities
        that cannot be used.
        """
        volume = volume_of(image_cxyz, affine, channels, name, self.challenge)
        return self._own(predict_in_turn(volume, self._open, probabilities))

    def predict_folder(
        self,
        data: PathLike,
        out: PathLike,
        *,
        on_error: OnError = "skip",
        resume: bool = False,
        report: PathLike | None = None,
        progress: OnCase | None = None,
    ) -> RunReport:
        """Predict every case of a folder and write its label map to `out`.

        on_error: skip a bad case, write an empty map for it, or stop. resume: keep finished maps that this
        run would give again. report: a JSON file for the report as well. progress: called after each case
        with its report, how many cases are finished, and how many there are. Raises UsageError where files
        would be overwritten that segcube did not write, EnvironmentFault for a disk or device that fails.
        """
        models = self._open
        settings = resolve_settings(self._settings.model_dump() | {"on_error": on_error, "resume": resume})
        file = None if report is None else as_path(report, "the report")
        folders = as_path(data, "the data folder"), as_path(out, "the output folder")
        request = Request(*folders, models.loaded.folder, settings, file)
        with models.reserved():
            return predict_folder(request, models, progress)

    def close(self) -> None:
        """Release the networks and the device's memory; the model cannot be used any more.

        Waits for threads that predict. Raises UsageError in the `progress` callback of `predict_folder`.
        """
        if models := self._models:
            models.release()
            self._models = None

    def __repr__(self) -> str:
        state = "closed" if self._models is None else self.device
        return f"<Model for {self._challenge.key}: {state}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _open(self) -> Models:
        if self._models is None:
            raise UsageError("the model is closed", hint="load it again")
        return self._models

    def _own(self, found: CasePrediction) -> Prediction:
        if isinstance(found, Prediction):
            return found
        return Prediction(**vars(found), challenge=self.challenge)


def load(  # noqa: PLR0913
    weights: PathLike,
    *,
    device: str = "auto",
    precision: Precision = "auto",
    threads: int | None = None,
    backend: BackendName = "auto",
    mirrors: bool | None = None,
    preset: Preset = "full",
    challenge: str = "auto",
) -> Model:
    """Load a submission's weights to a device.

    weights: the submission's folder. device: auto, cpu, cuda or cuda:N. mirrors: test-time mirroring; None as
    submission and preset have it. threads: at most so many CPU threads compute in this process from now on,
    for every model; None for SEGCUBE_THREADS, or else as many as the CPUs that the process may use.
    challenge: a key among those that the submission serves. Raises EnvironmentFault for weights or a device
    that cannot be used, UsageError for unknown values.
    """
    for name, value, kinds in (("threads", threads, int), ("mirrors", mirrors, bool)):
        if value is not None and type(value) is not kinds:
            raise UsageError(f"{name}={value!r}", expected=f"{kinds.__name__} or None")
    values = {"device": device, "precision": precision, "threads": threads, "backend": backend}
    settings = resolve_settings(values | {"preset": preset, "flips": mirrors, "challenge": challenge})
    return Model(weights, settings)


def save(network: nn.Module, name: str, arguments: Mapping[str, object], file: PathLike) -> str:
    """Write a trained network as the weights file of a member; returns the sha256 for submission.yaml.

    name, arguments: as for `segcube.networks.build`. Requires torch. Raises UsageError when they do not
    describe the network, EnvironmentFault for weights that are not finite or cannot be written.
    """
    with naming_missing_packages():
        return networks.save_network(network, name, arguments, as_path(file, "the file"))


class Session(Model):
    """What `load_submission` returns: a Model with the method `write`. Deprecated."""

    def write(self, prediction: CasePrediction, folder: PathLike) -> Path:
        """Write a label map into `folder` under the challenge's name; returns the file."""
        return self._own(prediction).save(Path(folder) / self.challenge.output_name(prediction.case.name))


def load_submission(folder: PathLike, **settings: Any) -> Session:
    """Load a submission; settings are those of parameters.yaml. Deprecated: use `segcube.load`."""
    warnings.warn("segcube.load_submission is deprecated: use segcube.load", DeprecationWarning, stacklevel=2)
    return Session(folder, resolve_settings(settings))
