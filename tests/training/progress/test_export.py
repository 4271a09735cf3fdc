from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from segcube.core import EnvironmentFault, UsageError
from segcube.training.log import StepLog
from segcube.training.progress import export_log, exporter

RECORDS = [
    {
        "kind": "step",
        "step": 1,
        "loss": 0.5,
        "rate": 0.25,
        "seconds": {"data": 2.0},
        "memory_gb": 1.5,
        "updated": True,
    },
    {"kind": "event", "step": 1, "event": "memory", "message": "less"},
    {"kind": "step", "step": 2, "loss": None, "rate": 0.125, "seconds": {}, "memory_gb": None},
    {"kind": "validation", "step": 2, "mean": {"WT": 0.75, "ET": None}, "recall": {"WT": 0.875}},
]
SCALARS = [
    (1, "train/loss", 0.5),
    (1, "train/rate", 0.25),
    (1, "seconds/data", 2.0),
    (1, "train/memory_gb", 1.5),
    (2, "train/rate", 0.125),
    (2, "validation/dice/WT", 0.75),
    (2, "validation/recall/WT", 0.875),
]


def read_events(folder: Path) -> list[tuple[int, str, float]]:
    """The scalars in a folder's event file: records of length, checksum, event, checksum."""
    (file,) = folder.iterdir()
    content, found = file.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        event = Event.FromString(content[12 : 12 + length])
        found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
        content = content[16 + length :]
    return found


@pytest.fixture
def log(tmp_path) -> StepLog:
    found = StepLog(tmp_path / "log.jsonl")
    for record in RECORDS:
        found.write(record)
    return found


def test_a_log_becomes_scalars_of_tensorboard(tmp_path, log):
    assert export_log(log, "tensorboard", tmp_path / "events", "fold_0") == len(RECORDS)
    assert read_events(tmp_path / "events" / "fold_0") == SCALARS


def test_steps_of_a_long_log_may_be_left_out(tmp_path, log):
    assert export_log(log, "tensorboard", tmp_path / "events", "fold_0", every=2) == 3
    assert read_events(tmp_path / "events" / "fold_0") == [row for row in SCALARS if row[0] == 2]


def test_records_are_exported_as_they_come(tmp_path):
    with exporter("tensorboard", tmp_path, "fold_0") as write:
        for record in RECORDS[:2]:
            write(record)
    assert read_events(tmp_path / "fold_0") == SCALARS[:4]


@pytest.mark.parametrize(
    ("kind", "package"), [("tensorboard", "tensorboardX"), ("wandb", "wandb"), ("trackio", "trackio")]
)
def test_a_missing_package_is_named_with_what_installs_it(tmp_path, log, monkeypatch, kind, package):
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EnvironmentFault, match=f"{package} is not installed.*pip install {package}"):
        export_log(log, kind, tmp_path / "out")


def test_an_unknown_kind_is_refused(tmp_path, log):
    with pytest.raises(UsageError, match="tensorboard, wandb, trackio"):
        export_log(log, "other", tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_named(log):
    with pytest.raises(EnvironmentFault, match=r"log\.jsonl"):
        export_log(log, "tensorboard", log.file / "out")
