"""A run over a folder of cases."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from segcube import __version__
from segcube.errors import CaseError, EnvironmentFault, ExitCode, internal_error
from segcube.pipeline import Keep, predict_volume
from segcube.predict import Models, open_backend
from segcube.report import DeviceReport, RunConsole, RunReport, start_report
from segcube.runs.outcome import background_map, exit_code, failed_report, prediction_report
from segcube.runs.reading import Read, Reader, read_ahead
from segcube.runs.request import Request
from segcube.runs.select import select
from segcube.runs.signals import Terminated, ends_on_sigterm
from segcube.settings import parse_shard
from segcube.submission import LoadedSubmission
from segcube.types import Case, CaseReport, Prediction
from segcube.volumes import Discovery, clear_leftovers, describe_origin, write_label_map, write_whole


def run_folder(request: Request) -> ExitCode:
    """Predict every case of a folder; only label maps appear in the output folder.

    Returns the exit code that on_error and the cases give. Raises SegcubeError when the run cannot begin or
    go on: UsageError, or EnvironmentFault for weights, device or disk.
    """
    with RunConsole(request.quiet) as console, ends_on_sigterm():
        loaded, found = select(request)
        backend = open_backend(request.settings)
        console.say(f"{loaded.submission.name} on {backend.reason}")
        if loaded.submission.starter:
            console.warn(f"{loaded.submission.name} is a STARTER, trained on made cases: it is no submission")
        for message in found.ignored:
            console.say(f"ignored: {message}")
        models = Models(loaded, backend, request.settings.flips, console.warn)
        models.load_all()
        _prepare_output(request, console)
        device = DeviceReport(backend.name, backend.device, backend.precision, backend.reason)
        report = start_report(loaded, request.settings.model_dump(), device)
        return FolderRun(request, loaded, models, console, report).run(found)


def _prepare_output(request: Request, console: RunConsole) -> None:
    try:
        request.output.mkdir(parents=True, exist_ok=True)
        cleared = clear_leftovers(request.output)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot be written: {error.strerror}",
            file=request.output,
            expected="a folder that this user may write",
        ) from error
    for name in cleared:
        console.say(f"cleared a leftover of an earlier run: {name}")


@dataclass
class FolderRun:
    """The cases of one run, one after the other."""

    request: Request
    loaded: LoadedSubmission
    models: Models
    console: RunConsole
    report: RunReport
    _writing: Future[None] | None = field(default=None, init=False)

    def run(self, found: Discovery) -> ExitCode:
        """Refuse what discovery refused, predict the rest, write each map in a thread meanwhile."""
        cases, refused = self._shard(found)
        if not found.cases and not found.refused:
            challenge = self.loaded.challenge
            self.console.warn(
                f"{self.request.data}: no case of {challenge.key}; expected names like {challenge.case}"
            )
        self.console.start(len(cases), len(self.loaded.submission.stages))
        try:
            with ThreadPoolExecutor(1, thread_name_prefix="writer") as writer:
                self._all(cases, refused, writer)
            self.report.ended = "done"
        except Terminated:
            self.report.ended = "terminated"
        except BaseException:
            self.report.ended = "failed"
            raise
        finally:
            self._write_report()
        if self.report.ended == "terminated":
            self.console.warn("ended by SIGTERM; the maps that are there are whole")
            return ExitCode.TERMINATED
        return exit_code(self.report.cases, self.request.settings.on_error)

    def _shard(self, found: Discovery) -> tuple[list[Case], list[Read]]:
        index, count = parse_shard(self.request.settings.shard)
        cases = {case.name: case for case in found.cases}
        refused = {refusal.case.name: refusal for refusal in found.refused}
        mine = sorted({*cases, *refused})[index - 1 :: count]
        output = self.request.output
        name_of = self.loaded.challenge.output_name
        refusals = [refused[name] for name in mine if name in refused]
        reads = [Read(r.case, output / name_of(r.case.name), error=r.error) for r in refusals]
        return [cases[name] for name in mine if name in cases], reads

    def _all(self, cases: Sequence[Case], refused: Sequence[Read], writer: ThreadPoolExecutor) -> None:
        reader = Reader(self.loaded, self.request.settings, self.models.backend, self.request.output)
        for read in refused:
            if not self._fail(read, writer):
                return
        for index, read in enumerate(read_ahead(cases, reader)):
            if not self._case(index, read, writer):
                return
        self._finish_writing()

    def _case(self, index: int, read: Read, writer: ThreadPoolExecutor) -> bool:
        """Do a case; False ends the run."""
        if read.error is not None:
            return self._fail(read, writer)
        if read.volume is None:
            self._report(CaseReport(read.case.name, "kept", output=read.output.name))
            return True
        if read.redo:
            self.console.say(f"{read.case.name}: made again, {read.redo}")
        try:
            prediction = self._predict(index, read)
        except CaseError as error:
            return self._fail(Read(read.case, read.output, error=error), writer)
        except (EnvironmentFault, KeyboardInterrupt):
            raise
        except Exception as error:
            return self._fail(Read(read.case, read.output, error=internal_error(error)), writer)
        self._write(prediction, read, writer)
        self._report(prediction_report(prediction, self.loaded.challenge, read.output.name))
        return True

    def _predict(self, index: int, read: Read) -> Prediction:
        assert read.volume is not None
        steps = iter(range(len(self.loaded.submission.stages)))
        keep = None
        if self.request.probabilities is not None:
            keep = Keep(self.request.probabilities, self.request.each_member)
        return predict_volume(
            read.volume,
            self.models,
            on_stage=lambda stage: self.console.show(read.case.name, index, stage, next(steps)),
            keep=keep,
        )

    def _fail(self, read: Read, writer: ThreadPoolExecutor) -> bool:
        """Tell a bad case and do as on_error says; False ends the run."""
        assert read.error is not None
        self.console.warn(f"{read.case.name}: {read.error.code}: {read.error}")
        on_error = self.request.settings.on_error
        empty = background_map(read.case) if on_error == "empty" else None
        if empty is not None:
            self._write(empty, read, writer)
        self._report(failed_report(read.case.name, read.error, read.output.name if empty else None))
        return on_error != "stop"

    def _write(self, prediction: Prediction, read: Read, writer: ThreadPoolExecutor) -> None:
        self._finish_writing()
        origin = describe_origin(__version__, read.fingerprint or "none", prediction.labels_xyz)
        self._writing = writer.submit(write_label_map, prediction, read.output, origin)

    def _finish_writing(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def _report(self, case: CaseReport) -> None:
        self.report.cases.append(case)
        for notice in case.notices:
            self.console.warn(f"{case.case}: {notice.code}: {notice.message}")
        if case.status != "failed":
            seconds = sum(case.seconds.values())
            self.console.say(f"{case.case}: {case.status}" + (f" in {seconds:.1f} s" if seconds else ""))
        self._write_report()

    def _write_report(self) -> None:
        if self.request.report is not None:
            write_whole(self.request.report, self.report.as_json())
