"""A run over a folder of cases."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from segcube.backends import open_backend
from segcube.core import (
    Case,
    EnvironmentFault,
    ExitCode,
    Prediction,
    RunConsole,
    Terminated,
    as_case_error,
    ends_on_sigterm,
    parse_shard,
)
from segcube.formats import Discovery
from segcube.formats.nifti import STAND_IN, discard_stale
from segcube.inference.folder.outputs import check_outputs, prepare_output
from segcube.inference.folder.prefetch import Prefetcher, Read, Reader
from segcube.inference.folder.report import CaseReport, DeviceReport, start_report
from segcube.inference.folder.request import Request, at_preset, select, starter_warning
from segcube.inference.folder.writing import (
    Ledger,
    MapWriter,
    background_map,
    exit_code,
    failed_report,
    prediction_report,
)
from segcube.inference.models import Models
from segcube.inference.pipeline import OnReleased, predict_volume
from segcube.inference.probabilities import is_saved
from segcube.spec.submission import LoadedSubmission


def run_folder(request: Request) -> ExitCode:
    """Predict every case of a folder; only label maps appear in the output folder.

    Returns the exit code that on_error and the cases give, or TERMINATED after a SIGTERM. Raises SegcubeError
    when the run cannot begin or go on: UsageError, or EnvironmentFault for weights, device or disk.
    """
    with RunConsole(request.quiet) as console:
        try:
            with ends_on_sigterm():
                return _run(request, console)
        except Terminated:
            console.warn("ended by SIGTERM; the maps that are there are whole")
            return ExitCode.TERMINATED


def _run(request: Request, console: RunConsole) -> ExitCode:
    loaded, found = select(request)
    if request.weights and request.settings.submission:
        console.say(f"--weights {request.weights} stands over submission {request.settings.submission}")
    loaded = at_preset(loaded, request.settings, console.say)
    cases, refused = _shard(found, request, loaded)
    check_outputs(request, loaded, [item.name for item in (*cases, *(read.case for read in refused))])
    backend = open_backend(request.settings, loaded, console.warn)
    console.say(f"{loaded.submission.name} on {backend.reason}")
    if loaded.submission.starter:
        console.warn(starter_warning(loaded))
    for message in found.ignored:
        console.say(f"ignored: {message}")
    with Prefetcher(cases, Reader(loaded, request.settings, backend, request.output, request.keep)) as reads:
        models = Models(loaded, backend, request.settings.mirrors, console.warn)
        models.load_all()
        prepare_output(request, console)
        device = DeviceReport(backend.name, backend.device, backend.precision, backend.reason)
        report = start_report(loaded, request.settings.model_dump(), device)
        if not found.fits:
            names = loaded.challenge.case
            console.warn(f"{request.data}: no case of {loaded.challenge.key}; expected names like {names}")
        is_empty_shard = found.fits and not (cases or refused)
        if is_empty_shard:
            count = len(found.cases) + len(found.refused)
            console.say(f"shard {request.settings.shard} holds none of {count} cases: nothing to do")
        console.start(len(cases), len(loaded.submission.stages))
        code = FolderRun(request, models, Ledger(report, request.report, console)).run(refused, reads)
        return ExitCode.DONE if is_empty_shard else code


def _shard(found: Discovery, request: Request, loaded: LoadedSubmission) -> tuple[list[Case], list[Read]]:
    """The cases of this run's share, and those of them that discovery refused."""
    index, count = parse_shard(request.settings.shard)
    cases = {case.name: case for case in found.cases}
    refused = {refusal.case.name: refusal for refusal in found.refused}
    mine = sorted({*cases, *refused})[index - 1 :: count]
    refusals = [refused[name] for name in mine if name in refused]
    output_name = loaded.challenge.output_name
    reads = [Read(r.case, request.output / output_name(r.case.name), error=r.error) for r in refusals]
    return [cases[name] for name in mine if name in cases], reads


@dataclass(frozen=True)
class FolderRun:
    """The cases of one run, one after the other."""

    request: Request
    models: Models
    ledger: Ledger

    def run(self, refused: Iterable[Read], reads: Prefetcher) -> ExitCode:
        """Refuse what discovery refused, predict the rest, write each map in a thread meanwhile."""
        report = self.ledger.report
        # A report that cannot be written shall not cost the first case, nor an old one stand for this run
        self.ledger.save()
        try:
            with MapWriter(self.ledger) as writer:
                self._all(refused, reads, writer)
        except BaseException as error:
            report.ended = "terminated" if isinstance(error, Terminated) else "failed"
            with contextlib.suppress(EnvironmentFault):
                self.ledger.save()
            raise
        report.ended = "done"
        self.ledger.save()
        return exit_code(report.cases, self.request.settings.on_error)

    def _all(self, refused: Iterable[Read], reads: Prefetcher, writer: MapWriter) -> None:
        for read in refused:
            if not self._fail(read, writer):
                return
        for index, read in enumerate(reads):
            if not self._case(index, read, writer, reads.start_next):
                return

    def _case(self, index: int, read: Read, writer: MapWriter, on_released: OnReleased) -> bool:
        """Do a case; False ends the run."""
        if read.error is not None:
            return self._fail(read, writer)
        if read.volume is None:
            writer.add(CaseReport(read.case.name, "kept", output=read.output.name))
            return True
        if read.redo:
            self.ledger.console.say(f"{read.case.name}: made again, {read.redo}")
        try:
            prediction = self._predict(index, read, on_released)
            prediction = replace(prediction, seconds=_together(read.seconds, prediction.seconds))
            report = prediction_report(prediction, self.models.loaded.challenge, read.output.name)
        except EnvironmentFault:
            raise
        except Exception as error:
            return self._fail(replace(read, volume=None, ahead=None, error=as_case_error(error)), writer)
        writer.write(prediction, read.output, read.fingerprint, report)
        return True

    def _predict(self, index: int, read: Read, on_released: OnReleased) -> Prediction:
        assert read.volume is not None, "a case without one is told before"
        steps = iter(range(len(self.models.loaded.submission.stages)))
        show = self.ledger.console.show
        keep = self.request.keep and replace(self.request.keep, fingerprint=read.fingerprint)
        return predict_volume(
            read.volume,
            self.models,
            lambda stage: show(read.case.name, index, stage, next(steps)),
            keep,
            on_released,
            read.ahead,
        )

    def _fail(self, read: Read, writer: MapWriter) -> bool:
        """Tell a bad case and do as on_error says; False ends the run."""
        assert read.error is not None
        name, on_error = read.case.name, self.request.settings.on_error
        self.ledger.refuse(name, read.error)
        self._discard_probabilities(name)
        empty = background_map(read.case) if on_error == "empty" else None
        if empty is not None:
            writer.write(empty, read.output, STAND_IN, failed_report(name, read.error, read.output.name))
        else:
            if discard_stale(read.output):
                self.ledger.console.warn(f"{name}: the map of an earlier run was removed: {read.output}")
            writer.add(failed_report(name, read.error, None))
        return on_error != "stop"

    def _discard_probabilities(self, case: str) -> None:
        """Remove what an earlier run saved of a case that fails now: it would be taken for this run's."""
        keep = self.request.keep
        stage = self.models.loaded.submission.stages[-1]
        for file in keep.files(case, stage) if keep else ():
            if is_saved(file):
                file.unlink()


def _together(first: Mapping[str, float], then: Mapping[str, float]) -> dict[str, float]:
    """Seconds of each step of both, in their order."""
    return {step: first.get(step, 0.0) + then.get(step, 0.0) for step in {**first, **then}}
