"""Import sources as a submission: unpack archives, convert, write, check, and compile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from pydantic import ValidationError

from segcube.backends import check_members
from segcube.backends.openvino import compile_if_possible
from segcube.core import UsageError, explain_validation_error
from segcube.importers.sources import faults_of, opened_source
from segcube.importers.write import Imported, write_imported
from segcube.spec.submission import LoadedSubmission, Submission, check_empty_folder

HINT = "segcube import --help lists the kinds of models that can be imported"


def import_sources(
    sources: Sequence[Path],
    out: Path,
    convert: Callable[[Sequence[Path]], Imported],
    log: Callable[[str], None],
) -> tuple[tuple[str, ...], Submission]:
    """Convert sources, archives or not, and write the submission to `out`.

    convert: reads the unpacked folders and files. log: receives what is compiled. Returns the decisions of
    the import, a sentence each, and the submission. Raises UsageError and EnvironmentFault; `out` is then as
    it was.
    """

    def check_and_compile(loaded: LoadedSubmission) -> None:
        check_members(loaded)
        compile_if_possible(loaded, log)

    check_empty_folder(out)
    with ExitStack() as stack:
        opened = [stack.enter_context(opened_source(source, out)) for source in sources]
        try:
            with faults_of(sources[0], HINT):
                imported = convert(opened)
            return imported.notes, write_imported(imported, out, check_and_compile)
        except ValidationError as error:
            explained = explain_validation_error(error, Submission)
            found = f"does not become a valid submission: {explained}"
            expected = "what submission.yaml may hold"
            raise UsageError(
                found, file=sources[0], expected=expected, hint="change --out or another option"
            ) from error
