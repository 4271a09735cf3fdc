"""Write a log for TensorBoard, Weights & Biases or trackio; log.jsonl stays the complete record."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from segcube.core import EnvironmentFault, UsageError
from segcube.training.log import Record, StepLog
from segcube.training.progress.history import NO_CURVES, as_number

ExportKind: TypeAlias = Literal["tensorboard", "wandb", "trackio"]
PACKAGES = {"tensorboard": "tensorboardX", "wandb": "wandb", "trackio": "trackio"}
"""What is to be installed for each kind."""
Write: TypeAlias = Callable[[Record], None]


def export_log(
    log: StepLog, kind: ExportKind, destination: Path, name: str = "segcube", every: int = 1
) -> int:
    """Write a whole log for another tool; returns the number of records written.

    destination: a folder, which `tensorboard --logdir`, `wandb sync` or, as TRACKIO_DIR, `trackio show` read.
    name: of the run there. every: n leaves out all steps but each n-th, where a log is long; validations are
    all written. Raises as `exporter` does.
    """
    count = 0
    with exporter(kind, destination, name) as write:
        for record in log.records():
            if record.get("kind") != "step" or int(record["step"]) % every == 0:
                write(record)
                count += 1
    return count


@contextmanager
def exporter(kind: str, destination: Path, name: str = "segcube") -> Generator[Write, None, None]:
    """Write records for another tool as they come; yields the function to call with each.

    Every use is a run of its own there: a training that is resumed gives several, which overlap where steps
    were repeated; `export_log` at the end gives one. Nothing is sent over the network. Raises
    EnvironmentFault where the package is not installed or the folder cannot be written, UsageError for an
    unknown kind.
    """
    if kind not in get_args(ExportKind):
        raise UsageError(f"no exporter {kind!r}", expected=f"one of {', '.join(get_args(ExportKind))}")
    opened = {"tensorboard": _tensorboard, "wandb": _wandb, "trackio": _trackio}[kind]
    package = PACKAGES[kind]
    try:
        destination.mkdir(parents=True, exist_ok=True)
        log, close = opened(destination, name)
    except ModuleNotFoundError as error:
        hint = f"pip install {package}"
        raise EnvironmentFault(f"{package} is not installed: {error}", hint=hint) from error
    except OSError as error:
        found = f"cannot be written: {error.strerror or error}"
        raise EnvironmentFault(found, file=destination, expected="a writable folder") from error
    try:
        yield lambda record: _write(record, log)
    finally:
        close()


def scalars(record: Record) -> dict[str, float]:
    """Return the numbers of a record under the names that charts get: train/..., seconds/..., validation/...

    Values that are no numbers are left out; an event has none.
    """
    found: dict[str, Any] = {}
    if record.get("kind") == "step":
        found |= {f"train/{name}": value for name, value in record.items() if name not in NO_CURVES}
        found |= {f"seconds/{name}": value for name, value in record.get("seconds", {}).items()}
        found["train/memory_gb"] = record.get("memory_gb")
    elif record.get("kind") == "validation":
        for group in ("mean", "recall"):
            title = "validation/dice" if group == "mean" else f"validation/{group}"
            found |= {f"{title}/{name}": value for name, value in (record.get(group) or {}).items()}
    numbers = {name: as_number(value) for name, value in found.items()}
    return {name: value for name, value in numbers.items() if value is not None}


Log: TypeAlias = Callable[[Mapping[str, float], int], None]
Opened: TypeAlias = tuple[Log, Callable[[], None]]
"""A function of values and their step, and one that closes the run."""


def _write(record: Record, log: Log) -> None:
    if values := scalars(record):
        log(values, int(record["step"]))


def _tensorboard(destination: Path, name: str) -> Opened:
    summary = import_module("tensorboardX.proto.summary_pb2").Summary
    writer = import_module("tensorboardX.writer").FileWriter(str(destination / name))

    def log(values: Mapping[str, float], step: int) -> None:
        # One event for all values of a step
        tagged = [summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        writer.add_summary(summary(value=tagged), step)

    return log, writer.close


def _wandb(destination: Path, name: str) -> Opened:
    options = {"dir": str(destination), "mode": "offline", "reinit": "create_new"}
    run = import_module("wandb").init(project="segcube", name=name, **options)
    return lambda values, step: run.log(dict(values), step=step), run.finish


def _trackio(destination: Path, name: str) -> Opened:
    # Read when the package is imported
    os.environ["TRACKIO_DIR"] = str(destination)
    trackio = import_module("trackio")
    trackio.init(project="segcube", name=name)
    return lambda values, step: trackio.log(dict(values), step=step), trackio.finish
