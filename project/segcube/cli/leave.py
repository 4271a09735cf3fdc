"""What a process must have before it loads torch, which aborts without a word where it is missing."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from types import FrameType
from typing import NoReturn

import typer

from segcube.core import EnvironmentFault, ExitCode, SegcubeError, internal_error, printable, remove_scratch

RETRY_SECONDS = 0.05


def leave_with(task: Callable[[], int | None]) -> NoReturn:
    """Run a task and exit with its code, 0 for None; an error is one line on stderr, never a traceback.

    Ctrl-C is the line `interrupted` and exit code 130. Raises typer.Exit, always.
    """
    _hold_streams()
    with _ends_at_once_on_sigterm():
        code = _code_of(task)
        # Ctrl-C may come between the creation of a folder and the block that removes it
        remove_scratch()
        let_go_of_broken_streams()
    raise typer.Exit(int(code or 0))


def _code_of(task: Callable[[], int | None]) -> int | None:
    try:
        return task()
    except ModuleNotFoundError as error:
        extras = "install segcube with all that it needs: pip install 'segcube[report,train]'"
        return _tell(f"{error}; {extras}", ExitCode.USAGE)
    except SegcubeError as error:
        return _tell(str(error), error.exit_code)
    except MemoryError:
        return _tell("too little memory; give the run more", ExitCode.ENVIRONMENT)
    except (OSError, ImportError) as error:
        return _tell(str(EnvironmentFault(str(error))), ExitCode.ENVIRONMENT)
    except KeyboardInterrupt:
        return tell_interrupted()
    except Exception as error:
        return _tell(str(internal_error(error)), ExitCode.INTERNAL)


def _tell(line: str, code: ExitCode, prefix: str = "error: ") -> ExitCode:
    # A stderr that is closed, full or gone changes no exit code
    with contextlib.suppress(OSError, ValueError):
        typer.echo(prefix + printable(line), err=True)
    return code


def handle_ctrl_c() -> None:
    """From now on, raise KeyboardInterrupt on SIGINT as soon as no module is being imported.

    In the middle of an import the exception may be swallowed, or come back as an error of the module.
    """
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.signal(signal.SIGINT, _interrupt)


def tell_interrupted() -> ExitCode:
    """Say that Ctrl-C ended the command; returns its exit code."""
    return _tell("interrupted", ExitCode.INTERRUPTED, "")


def _interrupt(_number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            signal.setitimer(signal.ITIMER_REAL, RETRY_SECONDS)
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def _hold_streams() -> None:
    """Open what was closed among stdin, stdout and stderr, so that no file of ours takes its number.

    A library that writes to stderr below Python would write into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, which is this one
            os.open(os.devnull, os.O_RDWR)


def let_go_of_broken_streams() -> None:
    """Lead what a closed pipe or a full disk did not take to nowhere: Python's exit code would tell of it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        except AttributeError:
            continue


@contextlib.contextmanager
def _ends_at_once_on_sigterm() -> Generator[None, None, None]:
    """End the process on SIGTERM until a task sets a handler of its own.

    The first process of a container gets no signal that it has no handler for.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(_signal: int, _frame: FrameType | None) -> None:
    remove_scratch()
    os._exit(ExitCode.TERMINATED)


LEAST_BYTES = 2**30
"""Of address space: torch and its libraries alone take more than half."""
NOWHERE = "/proc"


def prepare_process() -> None:
    """Stand somewhere, and have room for torch. Raises EnvironmentFault for too small an address space."""
    try:
        Path.cwd()
    except OSError:
        # MKL asks for the working folder; where this one lets nobody make a file, relative paths still fail
        with contextlib.suppress(OSError):
            os.chdir(NOWHERE)
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST_BYTES:
        raise EnvironmentFault(
            f"an address space of {limit / 2**20:.0f} MiB",
            expected=f"at least {LEAST_BYTES / 2**20:.0f} MiB to load torch",
            hint="raise ulimit -v",
        )
