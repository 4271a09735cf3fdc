"""Which trained weights a fold started from, and which patients these were trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from segcube.core import LOG, EnvironmentFault, Sha256, StrictModel, UsageError, count_of, read_model
from segcube.training.cases import origin_of_samples
from segcube.training.run.cases import SourceEntry, labelled_cases, read_dataset
from segcube.training.run.folder import FoldFolder, FoldNumber, RunFolder
from segcube.training.run.origin import run_folds
from segcube.training.run.pretrained import Pretrained, find_pretrained


class StartFile(StrictModel):
    """start.yaml of a fold: the trained weights that it starts from, and what is done with them."""

    init: Path
    """As it was given."""
    sha256: Sha256
    """Of the weights file."""
    freeze: tuple[str, ...] = ()
    reset: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Of all but the place."""
        content = [self.sha256, sorted(self.freeze), sorted(self.reset)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def read_start(folder: FoldFolder) -> StartFile | None:
    """Read start.yaml of a fold; None without one. Raises EnvironmentFault for an invalid file."""
    return read_model(folder.start, StartFile, EnvironmentFault) if folder.start.is_file() else None


def unchanged_weights(known: StartFile, fold: FoldNumber) -> Pretrained:
    """Return the weights of start.yaml. Raises EnvironmentFault where they changed since."""
    pretrained = find_pretrained(known.init, fold)
    if pretrained.sha256() != known.sha256:
        raise EnvironmentFault(
            "the weights changed since the fold was started",
            file=pretrained.file,
            expected=f"SHA-256 {known.sha256}",
            hint="restore them, or start anew with --fresh",
        )
    return pretrained


def check_leak(run: RunFolder, fold: FoldNumber, pretrained: Pretrained) -> None:
    """Raise UsageError for weights trained on a patient whom the fold validates, where that is known."""
    if fold == "all":
        return
    trained, is_known = _trained_on(pretrained)
    if not is_known:
        LOG.warning("  training cases of the weights are unknown: none may be validated by fold %s", fold)
    validated = _patients(run, run_folds(run, read_dataset(run)).split(fold).validation)
    if both := sorted(validated.keys() & trained.keys()):
        raise UsageError(
            f"was trained on {trained[both[0]]}, and fold {fold} validates {validated[both[0]]} of the same "
            f"patient ({count_of(len(both), 'patient')} in all)",
            file=pretrained.file,
            expected="weights that no validation case trained",
            hint=f"plan with the same folds: --split {pretrained.run.folds}" if pretrained.run else "",
        )


def _trained_on(pretrained: Pretrained) -> tuple[dict[str, str], bool]:
    """A case of each patient that weights were trained on, and whether all of them are known.

    Includes those of the weights that a training started from in its turn.
    """
    run, fold = pretrained.run, pretrained.fold
    if run is None or fold is None:
        return {}, False
    training = _patients(run, run_folds(run, read_dataset(run)).split(fold).training)
    found = _sampled_from(run) | training
    before = read_start(run.fold(fold))
    if before is None:
        return found, True
    try:
        earlier, is_known = _trained_on(unchanged_weights(before, fold))
    except (UsageError, EnvironmentFault):
        return found, False
    return earlier | found, is_known


def check_samples(run: RunFolder, fold: FoldNumber) -> None:
    """Raise UsageError for a fold that validates a patient from whose cases some of the data were sampled."""
    for source, leaks in sampled_validation(run, fold):
        raise UsageError(
            f"its samples are of a model that was trained on the patient of {leaks[0]}, which fold {fold} "
            f"validates ({count_of(len(leaks), 'case')} in all)",
            file=source.data,
            expected="samples of a model that was trained on the training cases of this fold alone",
            hint=f"segcube synthesize train RUN --fold {fold}, with the folds of this run; or train "
            "another fold with --fold",
        )


def sampled_validation(run: RunFolder, fold: FoldNumber) -> Iterator[tuple[SourceEntry, list[str]]]:
    """Yield each source of samples that cannot train a fold, with the cases that the fold validates."""
    dataset = read_dataset(run)
    validated = set(run_folds(run, dataset).split(fold).validation)
    for source in dataset.sources:
        known = set(source.patients)
        leaks = [
            case.name
            for case in dataset.cases
            if case.name in validated and (case.patient in known or case.name in known)
        ]
        if leaks:
            yield source, leaks


def check_origins_of_samples(run: RunFolder) -> None:
    """Raise UsageError where the samples of a run are no longer those that it was planned with."""
    dataset = read_dataset(run)
    cases = labelled_cases(run, dataset)
    planned: list[tuple[int | None, Path, tuple[str, ...]]] = [(None, dataset.data, ())]
    planned += [(number, source.data, source.patients) for number, source in enumerate(dataset.sources)]
    for number, data, patients in planned:
        names = {case.name for case in dataset.cases if case.source == number}
        origin = origin_of_samples(data, [case for case in cases if case.name in names])
        # Cached cases need no files
        if data.is_dir() and set(patients) != set(origin.patients if origin is not None else ()):
            raise UsageError(
                "holds other samples than when the run was planned",
                file=data,
                expected="samples of a model of the same patients",
                hint="segcube plan into another folder",
            )


def _sampled_from(run: RunFolder) -> dict[str, str]:
    """A name for each patient from whose cases some of the data were sampled."""
    sources = read_dataset(run).sources
    return {patient: f"samples in {source.data}" for source in sources for patient in source.patients}


def _patients(run: RunFolder, names: Sequence[str]) -> dict[str, str]:
    """A case of each patient."""
    wanted = set(names)
    return {case.patient: case.name for case in read_dataset(run).cases if case.name in wanted}
