from __future__ import annotations

import csv
import re
from dataclasses import replace

import pytest
import torch

from segcube.training.log import StepLog
from segcube.training.progress import read_history, show_progress, training_environment, write_progress

from ..toy import run as train_toy
from ..toy import toy_training


@pytest.mark.usefixtures("no_matplotlib")
def test_scores_have_a_row_for_each_validation_case_and_region(run, records, tmp_path):
    write_progress(tmp_path, run, read_history(records))
    rows = list(csv.reader((tmp_path / "scores.csv").read_text().splitlines()))
    assert rows[0] == ["step", "case", "region", "dice", "challenge_dice", "challenge_hd95"]
    assert rows[1:4] == [
        ["2", "case-1", "WT", "0.75", "0.5", "4.0"],
        ["2", "case-1", "TC", "0.5", "", ""],
        ["2", "case-1", "ET", "", "", ""],
    ]
    assert len(rows) == 7


def test_files_of_a_fold_are_replaced(run, records, tmp_path):
    for count in (1, 4):
        write_progress(tmp_path, run, read_history(records[:count]))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["progress.html", "progress.png", "scores.csv"]
    assert "Step 2 of 600" in (tmp_path / "progress.html").read_text()


@pytest.mark.usefixtures("no_matplotlib")
def test_without_matplotlib_the_picture_of_the_curves_is_missing(run, records, tmp_path):
    write_progress(tmp_path, run, read_history(records))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["progress.html", "scores.csv"]


def follow(folder, run, records, exports=()):
    """Log the records and show them as a training does."""
    log = StepLog(folder / "log.jsonl")
    with show_progress(folder, run, log, exports) as show:
        log = replace(log, followers=(show,))
        for record in records:
            log.write(record)


@pytest.mark.usefixtures("no_matplotlib")
def test_a_training_that_continues_shows_its_whole_history(run, records, tmp_path):
    follow(tmp_path, run, records)
    # The loop cuts off the lines after the state before it logs the first one
    log = StepLog(tmp_path / "log.jsonl")
    with show_progress(tmp_path, run, log) as show:
        log.rewind(1)
        log.write(records[0] | {"step": 2, "loss": 0.5})
        show(records[0] | {"step": 2, "loss": 0.5})
    page = (tmp_path / "progress.html").read_text()
    assert "loss: first 1 at step 1, lowest 0.5 at step 2" in page
    assert "The first validation follows" in page


@pytest.mark.usefixtures("no_matplotlib")
def test_exports_get_the_records_of_this_process(run, records, tmp_path):
    follow(tmp_path, run, records[:2])
    found = []
    follow(tmp_path, run, records[2:], [found.append])
    assert found == records[2:]


@pytest.mark.usefixtures("no_matplotlib")
def test_an_export_that_fails_ends_alone(run, records, tmp_path, caplog):
    def fail(record):
        raise RuntimeError(f"the disk is full at step {record['step']}")

    found = []
    follow(tmp_path, run, records, [fail, found.append])
    assert found == records
    assert [message for message in caplog.messages if "the disk is full" in message] == [
        "the progress of the training is shown incompletely: the disk is full at step 1"
    ]


@pytest.mark.usefixtures("no_matplotlib")
def test_a_page_that_cannot_be_written_ends_no_training(run, records, tmp_path, caplog):
    (tmp_path / "progress.html").mkdir()
    follow(tmp_path, run, records)
    assert any("progress.html" in message for message in caplog.messages)


@pytest.mark.usefixtures("no_matplotlib")
def test_a_training_that_fails_leaves_its_page(run, records, tmp_path):
    log = StepLog(tmp_path / "log.jsonl")

    def fail():
        with show_progress(tmp_path, run, log) as show:
            for record in records:
                log.write(record)
                show(record)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert "Step 2 of 600" in (tmp_path / "progress.html").read_text()


@pytest.mark.usefixtures("no_matplotlib")
def test_a_record_that_is_not_understood_is_reported_only(run, records, tmp_path, caplog):
    follow(tmp_path, run, [records[0], {"kind": "validation", "step": 1, "mean": 0.5}, records[2]])
    assert len([message for message in caplog.messages if "shown incompletely" in message]) == 1
    assert "Step 2 of 600" in (tmp_path / "progress.html").read_text()


@pytest.mark.usefixtures("no_matplotlib")
def test_the_training_loop_is_followed_over_a_restart(run, tmp_path):
    def train_to(steps: int) -> str:
        training = toy_training(tmp_path, validate=None, steps=steps)
        with show_progress(tmp_path, replace(run, steps=20), training.log) as show:
            train_toy(replace(training, log=replace(training.log, followers=(show,))))
        return (tmp_path / "progress.html").read_text()

    assert "Step 7 of 20" in train_to(7)
    page = train_to(20)
    assert "Step 20 of 20" in page
    assert re.search(r"loss: first \S+ at step 1, .* last \S+ at step 20<", page)


def test_the_environment_names_device_and_versions():
    found = training_environment(torch.device("cpu"))
    assert found["device"] == "cpu"
    assert found["torch"].startswith(torch.__version__.partition("+")[0])
