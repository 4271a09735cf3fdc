"""A loaded submission, for Python."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcube.backends import open_backend
from segcube.core import Case, CaseError, Code, Prediction, RunConsole, UsageError, resolve_settings
from segcube.formats import discover
from segcube.formats.nifti import FROM_PYTHON, read_volume
from segcube.inference.folder.request import at_preset, starter_warning
from segcube.inference.folder.writing import write_with_origin
from segcube.inference.models import Models
from segcube.inference.pipeline import predict_volume
from segcube.spec.submission import load_for


@dataclass(frozen=True)
class Session:
    """A submission whose weights are loaded; `predict` may be called from any thread.

    Threads read their cases in parallel and use the networks one after the other.
    """

    models: Models

    def predict(self, case: Case | Path | str) -> Prediction:
        """Predict one case: a Case, or a folder that holds one.

        Raises CaseError for a bad case, and UsageError for a folder of no or several cases, or in a process
        that was forked after the submission was loaded.
        """
        found = case if isinstance(case, Case) else self._only_case(Path(case))
        channels = tuple(channel.name for channel in self.models.loaded.challenge.channels)
        if missing := [name for name in channels if name not in found.files]:
            raise CaseError(
                Code.MISSING_MODALITY,
                f"{', '.join(missing)} of {found.name} missing",
                expected=", ".join(channels),
            )
        volume = read_volume(found, channels, self.models.loaded.challenge)
        with self.models.reserved():
            return predict_volume(volume, self.models, on_released=lambda: None)

    def write(self, prediction: Prediction, folder: Path | str) -> Path:
        """Write a label map into `folder` under the challenge's name; returns the file.

        An earlier map of segcube's is replaced. Raises CaseError where another file has its name, and
        EnvironmentFault when the folder cannot be written.
        """
        file = Path(folder) / self.models.loaded.challenge.output_name(prediction.case.name)
        write_with_origin(prediction, file, FROM_PYTHON)
        return file

    def _only_case(self, folder: Path) -> Case:
        found = discover(folder, self.models.loaded.challenge)
        if found.refused:
            raise found.refused[0].error
        if len(found.cases) != 1:
            raise UsageError(
                f"holds {len(found.cases)} cases", file=folder, expected="the folder of one case"
            )
        return found.cases[0]


def load_submission(folder: Path | str, **settings: Any) -> Session:
    """Load a submission's weights to the device; settings are those of parameters.yaml.

    Raises EnvironmentFault for weights or a device that cannot be used, UsageError for unknown settings.
    """
    resolved, console = resolve_settings(settings), RunConsole()
    loaded = at_preset(load_for(Path(folder), resolved.challenge), resolved, console.say)
    if loaded.submission.starter:
        console.warn(starter_warning(loaded))
    backend = open_backend(resolved, loaded, console.warn)
    models = Models(loaded, backend, resolved.mirrors, console.warn)
    models.load_all()
    return Session(models)
