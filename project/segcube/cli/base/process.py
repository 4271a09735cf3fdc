"""How the process of a command starts and ends: exit codes, Ctrl-C, SIGTERM, and streams that are closed."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, TextIO

import typer

from segcube.core import (
    EnvironmentFault,
    ExitCode,
    SegcubeError,
    internal_error,
    log_traceback,
    missing_package,
    printable,
    remove_scratch_folders,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

MIN_ADDRESS_SPACE = 2**30
"""Bytes. torch and its libraries alone take more than half of it."""
FALLBACK_FOLDER = "/proc"
"""The working folder where the one at the start cannot be used."""


def run_command(task: Callable[[], int | None], command: str = "") -> NoReturn:
    """Run a command's work and raise typer.Exit with its exit code, 0 for None.

    command: its words, such as `segcube import nnunet`, for the hint about a package that is missing. Any
    error becomes one line on stderr, after a line for each of its notes, and its exit code; --debug adds the
    traceback of an unexpected one. Ctrl-C becomes the line `interrupted` and exit code 130.
    """
    _open_closed_streams()
    _leave_unusable_folder()
    with _exits_on_sigterm():
        code = _exit_code_of(task, command)
        # Ctrl-C may come between the creation of a scratch folder and the block that removes it
        remove_scratch_folders()
        discard_broken_streams()
    raise typer.Exit(int(code or 0))


def _exit_code_of(task: Callable[[], int | None], command: str) -> int | None:
    try:
        return task()
    except KeyboardInterrupt:
        return report_interrupted()
    except Exception as error:
        return report_error(error, command)


def report_error(error: Exception, command: str = "") -> ExitCode:
    """Report on stderr why a command failed; returns the exit code for that."""
    message, code, label = str(error), ExitCode.ENVIRONMENT, SegcubeError.label
    if isinstance(error, SegcubeError):
        code, label = error.exit_code, error.label
        for note in getattr(error, "__notes__", ()):
            _print_to_stderr(printable(note))
    elif isinstance(error, (OSError, ImportError, MemoryError)):
        log_traceback(error)
        if isinstance(error, ModuleNotFoundError):
            message = str(missing_package(error, "import" if "import" in command.split() else ""))
        elif isinstance(error, MemoryError):
            message = "not enough memory; give the run more"
        elif isinstance(error, OSError) and error.filename is not None:
            message = f"{os.fsdecode(error.filename)}: cannot be read or written: {error.strerror}"
    else:
        message, code = str(internal_error(error)), ExitCode.INTERNAL
    _print_to_stderr(f"{label}{printable(message)}")
    return code


def report_interrupted() -> ExitCode:
    """Report on stderr that Ctrl-C ended the command; returns the exit code for that."""
    _print_to_stderr("interrupted")
    return ExitCode.INTERRUPTED


def _print_to_stderr(line: str) -> None:
    # The exit code must not change where stderr is closed, full or a broken pipe
    with contextlib.suppress(OSError, ValueError):
        typer.echo(line, err=True)


def handle_ctrl_c() -> None:
    """Raise KeyboardInterrupt on SIGINT, but end the process at once while a module is being imported.

    An import may catch the exception as if an optional dependency were missing, and go on.
    """
    signal.signal(signal.SIGINT, _on_sigint)


def _on_sigint(_number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            _exit_now(report_interrupted())
        frame = frame.f_back
    raise KeyboardInterrupt


@contextlib.contextmanager
def _exits_on_sigterm() -> Generator[None, None, None]:
    """End the process on SIGTERM, until a command sets a handler of its own.

    The kernel does not deliver a signal without a handler to the first process of a container.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: _exit_now(ExitCode.TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _exit_now(code: ExitCode) -> NoReturn:
    """End the process without unwinding; files appear whole or not at all, so scratch is all that is left."""
    remove_scratch_folders()
    os._exit(code)


def _open_closed_streams() -> None:
    """Open /dev/null in place of a stdin, stdout or stderr that is closed.

    The next file that is opened would get its number, and libraries that write to stderr below Python would
    write into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, which is this one
            os.open(os.devnull, os.O_RDWR)


class _Pipe(io.FileIO):
    """stdout or stderr, where what is written to a pipe that its reader closed is dropped."""

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


def ignore_closed_pipes() -> None:
    """Let a command end as usual, with its exit code, if the reader of its output ends first, as `head` does.

    SIGPIPE's default action would also end it where a worker process or a container engine is gone.
    """
    sys.stdout, sys.stderr = map(_ignoring_closed_pipe, (sys.stdout, sys.stderr))


def _ignoring_closed_pipe(stream: TextIO) -> TextIO:
    # Python has none for a stream that is closed at its start
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Pipe(stream.fileno(), "wb", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def discard_broken_streams() -> None:
    """Redirect stdout and stderr to /dev/null if they cannot be flushed, as on a full disk.

    Python would otherwise fail to flush them at its end and change the exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        except AttributeError:
            continue


def _leave_unusable_folder() -> None:
    """Change the working folder if it was deleted or may not be entered: MKL and OpenVINO abort there."""
    try:
        usable = os.access(Path.cwd(), os.X_OK)
    except OSError:
        usable = False
    if not usable:
        # No file can be opened by a relative path in this folder either
        with contextlib.suppress(OSError):
            os.chdir(FALLBACK_FOLDER)


def prepare_for_torch() -> None:
    """Make sure that torch can be loaded: with less address space it aborts without a message.

    Raises EnvironmentFault for a limit below MIN_ADDRESS_SPACE.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < MIN_ADDRESS_SPACE:
        raise EnvironmentFault(
            f"address space limited to {limit / 2**20:.0f} MiB",
            expected=f"at least {MIN_ADDRESS_SPACE / 2**20:.0f} MiB to load torch",
            hint="raise ulimit -v",
        )
