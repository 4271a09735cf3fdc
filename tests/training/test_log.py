import json
import math
import resource

from segcube.training.log import StepLog


def test_rewind_removes_later_and_partial_lines(tmp_path):
    log = StepLog(tmp_path / "log.jsonl")
    for step in (1, 2, 3):
        log.write({"kind": "step", "step": step})
    with log.file.open("a") as opened:
        opened.write('{"kind": "st')
    log.rewind(2)
    assert [record["step"] for record in log.records()] == [1, 2]
    log.write({"kind": "step", "step": 3})
    assert [record["step"] for record in log.records()] == [1, 2, 3]


def test_rewind_keeps_the_lines_after_one_that_cannot_be_read(tmp_path):
    log = StepLog(tmp_path / "log.jsonl")
    log.write({"step": 1})
    with log.file.open("a") as opened:
        opened.write('{"kind": "st{"step":2}\n')
    for step in (3, 4):
        log.write({"step": step})
    log.rewind(3)
    assert [record["step"] for record in log.records()] == [1, 3]


def test_a_line_that_fills_the_disk_leaves_the_others_readable(tmp_path):
    log = StepLog(tmp_path / "log.jsonl")
    log.write({"step": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.file.stat().st_size + 5, limits[1]))
    try:
        log.write({"step": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    log.write({"step": 3})
    assert log.file.read_text() == '{"step":1}\n{"step":3}\n'


def test_numbers_that_are_not_finite_become_null(tmp_path):
    log = StepLog(tmp_path / "log.jsonl")
    log.write({"step": 1, "loss": math.nan, "seconds": {"data": math.inf}, "list": [1.5, -math.inf]})
    expected = {"step": 1, "loss": None, "seconds": {"data": None}, "list": [1.5, None]}
    assert json.loads(log.file.read_text()) == expected


def test_followers_are_called_after_a_record_is_written(tmp_path):
    found = []
    file = tmp_path / "log.jsonl"
    log = StepLog(file, (lambda record: found.append((record, file.read_text())),))
    log.write({"step": 1})
    assert found == [({"step": 1}, '{"step":1}\n')]


def test_a_line_that_cannot_be_written_is_reported_only(tmp_path, caplog):
    StepLog(tmp_path / "missing" / "log.jsonl").write({"step": 1})
    assert "cannot be written" in caplog.text
