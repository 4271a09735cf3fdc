"""Predict a folder of cases: prefetch, predict, write, report."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from segcube.backends import open_backend
from segcube.core import (
    LOG,
    Case,
    EnvironmentFault,
    ExitCode,
    Terminated,
    as_case_error,
    parse_shard,
    stage_bar,
    terminate_on_sigterm,
)
from segcube.formats import Discovery, other_format_hint
from segcube.formats.nifti import FAILED_CASE_MARK, remove_own_map
from segcube.inference.folder.case_log import CaseLog
from segcube.inference.folder.outputs import check_outputs, prepare_output
from segcube.inference.folder.prefetch import CaseInput, CaseReader, Prefetcher
from segcube.inference.folder.report import CaseReport, DeviceReport, OnCase, RunReport, start_report
from segcube.inference.folder.request import Request, check_command, find_cases, select
from segcube.inference.folder.writing import (
    MapWriter,
    background_map,
    exit_code,
    failed_report,
    prediction_report,
)
from segcube.inference.models import Models, warn_of_starter
from segcube.inference.pipeline import OnReleased, predict_volume
from segcube.inference.probabilities import saved_fingerprint
from segcube.spec.submission import LoadedSubmission, at_preset

LISTED = 5
"""Ignored files that a run lists one by one."""


def run_folder(request: Request) -> ExitCode:
    """Predict every case of a folder; only label maps appear in the output folder.

    Returns the exit code that on_error and the cases give, or TERMINATED after a SIGTERM. Raises SegcubeError
    when the run cannot begin or go on: UsageError, or EnvironmentFault for weights, device or disk.
    """
    try:
        with terminate_on_sigterm():
            return _run(request)
    except Terminated:
        LOG.warning("terminated by SIGTERM; the label maps written so far are complete")
        return ExitCode.TERMINATED


def _run(request: Request) -> ExitCode:
    loaded, found = select(request)
    if request.weights and request.settings.submission:
        LOG.info(
            f"--weights {request.weights} overrides submission {request.settings.submission} of the settings"
        )
    loaded = at_preset(loaded, request.settings)
    shard = _shard(found, request, loaded)
    check_outputs(request, loaded, shard.names)
    backend = open_backend(request.settings, loaded, LOG.warning)
    models = Models(loaded, backend, request.settings.mirroring, LOG.warning)
    report = _predict_shard(request, models, shard)
    if report.cases:
        has_maps = any(case.output for case in report.cases)
        LOG.info(f"next: {check_command(request, loaded, has_maps=has_maps)}")
    empty = found.fits and not shard.names
    return ExitCode.DONE if empty else exit_code(report.cases, request.settings.on_error)


def predict_folder(request: Request, models: Models, on_case: OnCase | None = None) -> RunReport:
    """Predict every case of a folder with loaded models.

    on_case: called with each case's report, how many cases are finished, and how many there are. Raises
    UsageError where files would be overwritten that segcube did not write, EnvironmentFault for a disk or a
    device that fails; a bad case is in the report.
    """
    shard = _shard(find_cases(request, models.loaded), request, models.loaded)
    check_outputs(request, models.loaded, shard.names)
    return _predict_shard(request, models, shard, on_case)


def predict_cases(request: Request, models: Models, cases: Sequence[Case]) -> RunReport:
    """Predict given cases with loaded models, whatever their files are named; otherwise as `predict_folder`.

    request: its data folder is reported only.
    """
    shard = Shard(Discovery(tuple(cases)), list(cases), [])
    check_outputs(request, models.loaded, shard.names)
    return _predict_shard(request, models, shard)


def _predict_shard(
    request: Request, models: Models, shard: Shard, on_case: OnCase | None = None
) -> RunReport:
    """Predict the cases of a shard; the models are loaded while the first case is read."""
    loaded, backend, found = models.loaded, models.backend, shard.found
    LOG.info(f"{loaded.submission.name} on {backend.reason}")
    warn_of_starter(loaded.submission)
    many = len(found.ignored) > LISTED
    for message in found.ignored:
        (LOG.debug if many else LOG.info)(f"ignored: {message}")
    if many:
        LOG.info(f"ignored {len(found.ignored)} files and folders; -v lists them")
    reader = CaseReader(loaded, request.settings, backend, request.output, request.save)
    with Prefetcher(shard.cases, reader) as prefetcher:
        models.load_all()
        prepare_output(request)
        device = DeviceReport(backend.name, backend.device, backend.precision, backend.reason)
        report = start_report(loaded, request.settings.model_dump(), device)
        if not found.fits:
            names = loaded.challenge.case
            hint = other_format_hint(request.data, loaded.challenge)
            found = f"no case of {loaded.challenge.key}; expected names like {names}"
            LOG.warning(f"{request.data}: {found}{'; ' * bool(hint)}{hint}")
        elif not shard.names:
            count = len(found.cases) + len(found.refused)
            LOG.info(f"shard {request.settings.shard} holds none of {count} cases: nothing to do")
        log = CaseLog(report, request.report, len(shard.names), on_case)
        with stage_bar(len(shard.cases), len(loaded.submission.stages)) as begin_stage:
            _predict_cases(FolderRun(request, models, log, begin_stage), shard.refused, prefetcher)
    if shard.names:
        where = f"; report in {request.report}" if request.report else ""
        maps = f"; label maps in {request.output}" if any(case.output for case in report.cases) else ""
        LOG.info(f"{log.summary()}{maps}{where}")
    return report


@dataclass(frozen=True)
class Shard:
    """The cases of a run, and those of them that discovery refused."""

    found: Discovery
    cases: list[Case]
    refused: list[CaseInput]

    @property
    def names(self) -> list[str]:
        """Of all cases, refused ones included."""
        return [case.name for case in (*self.cases, *(refused.case for refused in self.refused))]


def _shard(found: Discovery, request: Request, loaded: LoadedSubmission) -> Shard:
    index, count = parse_shard(request.settings.shard)
    cases = {case.name: case for case in found.cases}
    refused = {refusal.case.name: refusal for refusal in found.refused}
    names = sorted({*cases, *refused})[index - 1 :: count]
    refusals = [refused[name] for name in names if name in refused]
    file_of = loaded.challenge.output_name
    inputs = [CaseInput(r.case, request.output / file_of(r.case.name), error=r.error) for r in refusals]
    return Shard(found, [cases[name] for name in names if name in cases], inputs)


@dataclass(frozen=True)
class FolderRun:
    """What every case of a run needs."""

    request: Request
    models: Models
    log: CaseLog
    begin_stage: Callable[[str, int, str, int], None]


def _predict_cases(run: FolderRun, refused: Iterable[CaseInput], cases: Prefetcher) -> None:
    """Report what discovery refused, predict the rest, write each map in a thread meanwhile."""
    # A report that cannot be written ends the run before its first case
    run.log.begin()
    try:
        with MapWriter(run.log) as writer:
            goes_on = all(_fail(run, case, writer) for case in refused)
            for index, case in enumerate(cases if goes_on else ()):
                if not _predict_case(run, index, case, writer, cases.start_next):
                    break
    except BaseException as error:
        with contextlib.suppress(EnvironmentFault):
            run.log.end("terminated" if isinstance(error, Terminated) else "failed")
        raise
    run.log.end("done")


def _predict_case(
    run: FolderRun, index: int, case: CaseInput, writer: MapWriter, on_released: OnReleased
) -> bool:
    """Predict a case and begin to write its map; False ends the run."""
    if case.error is not None:
        return _fail(run, case, writer)
    if case.volume is None:
        writer.add(CaseReport(case.case.name, "kept", output=case.output.name))
        return True
    if case.redo:
        LOG.info(f"{case.case.name}: predicted again, {case.redo}")
    stages = iter(range(len(run.models.loaded.submission.stages)))
    save = run.request.save and replace(run.request.save, fingerprint=case.fingerprint)
    try:
        prediction = predict_volume(
            case.volume,
            run.models,
            on_stage=lambda stage: run.begin_stage(case.case.name, index, stage, next(stages)),
            save=save,
            on_released=on_released,
            prefetched=case.prefetched,
        )
        prediction = replace(prediction, seconds=_summed(case.seconds, prediction.seconds))
        report = prediction_report(prediction, run.models.loaded.challenge, case.output.name)
    except EnvironmentFault:
        raise
    except Exception as error:
        return _fail(run, replace(case, volume=None, prefetched=None, error=as_case_error(error)), writer)
    writer.write(prediction, case.output, case.fingerprint, report)
    return True


def _fail(run: FolderRun, case: CaseInput, writer: MapWriter) -> bool:
    """Report a bad case and do as on_error states; False ends the run."""
    assert case.error is not None
    name, on_error = case.case.name, run.request.settings.on_error
    run.log.refuse(name, case.error)
    _discard_probabilities(run, name)
    empty = background_map(case.case) if on_error == "empty" else None
    if empty is not None:
        writer.write(empty, case.output, FAILED_CASE_MARK, failed_report(name, case.error, case.output.name))
    else:
        if remove_own_map(case.output):
            LOG.warning(f"{name}: the map of an earlier run was removed: {case.output}")
        writer.add(failed_report(name, case.error, None))
    return on_error != "stop"


def _discard_probabilities(run: FolderRun, case: str) -> None:
    """Remove what an earlier run saved of a case that fails now: it would be mistaken for this run's."""
    stage = run.models.loaded.submission.stages[-1]
    for file in run.request.save.files(case, stage) if run.request.save else ():
        if saved_fingerprint(file) is not None:
            file.unlink()


def _summed(first: Mapping[str, float], then: Mapping[str, float]) -> dict[str, float]:
    """Seconds of each step of both, in their order."""
    return {step: first.get(step, 0.0) + then.get(step, 0.0) for step in {**first, **then}}
