from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from segcube.core import Code, EnvironmentFault, Notice
from segcube.inference.folder.case_log import CaseLog, lines_file
from segcube.inference.folder.report import CaseReport, DeviceReport, RunReport

GEOMETRY = Notice(Code.GEOMETRY, "another grid")
DEVICE = DeviceReport("openvino", "cpu", "fp32", "a test")


@pytest.fixture
def log(tmp_path) -> CaseLog:
    report = RunReport("mine", False, "mbas2024", {}, DEVICE, {}, {})
    return CaseLog(report, tmp_path / "report.json", count=3)


def lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in lines_file(file).read_text().splitlines()]


def test_each_case_appends_a_line_and_the_report_is_whole_at_the_end(log):
    log.begin()
    for name in ("a", "b"):
        log.add(CaseReport(name, "done"))
    about, *cases = lines(log.file)
    assert about["submission"] == "mine"
    assert [case["case"] for case in cases] == ["a", "b"]
    assert json.loads(log.file.read_text())["cases"] == []
    log.end("done")
    report = json.loads(log.file.read_text())
    assert report["ended"] == "done"
    assert [case["case"] for case in report["cases"]] == ["a", "b"]


def test_a_new_run_begins_a_new_file_of_lines(log):
    log.begin()
    log.add(CaseReport("a", "done"))
    replace(log).begin()
    assert len(lines(log.file)) == 1


def test_the_summary_counts_statuses_and_codes(log):
    for case in (CaseReport("a", "done"), CaseReport("b", "failed", "NDIM"), CaseReport("c", "done")):
        log.add(case)
    assert log.summary().startswith("2 done, 1 failed (NDIM 1) in ")


def test_the_lines_of_cases_have_numbers_and_the_time_left(log, caplog):
    caplog.set_level("INFO", "segcube")
    log._begun -= 10
    log.add(CaseReport("a", "done", seconds={"read": 1.0}))
    assert "[1/3] a: done in 1.0 s, about 20 s left" in caplog.text


def test_cases_that_fail_at_once_give_no_time_left(log, caplog):
    caplog.set_level("INFO", "segcube")
    log.add(CaseReport("a", "failed", "NDIM"))
    assert caplog.messages == ["[1/3] a: failed"]


def test_a_notice_of_several_cases_is_printed_once_at_the_end(log, caplog):
    caplog.set_level("WARNING", "segcube")
    other = Notice(Code.FLIPPED, "another orientation")
    for name, notices in (("a", (GEOMETRY,)), ("b", (GEOMETRY, other))):
        log.add(CaseReport(name, "done", notices=notices))
    assert caplog.messages == []
    log.end("done")
    assert caplog.messages == ["2 cases: GEOMETRY: another grid", "b: FLIPPED: another orientation"]


def test_a_folder_that_goes_away_ends_the_run(log):
    log.begin()
    for file in log.file.parent.iterdir():
        file.unlink()
    log.file.parent.rmdir()
    with pytest.raises(EnvironmentFault):
        log.add(CaseReport("a", "done"))


def test_the_file_of_lines_is_beside_the_report():
    assert lines_file(Path("a/report.json")) == Path("a/report.jsonl")
    assert lines_file(Path("a/report")) == Path("a/report.jsonl")


def test_a_report_to_a_device_has_no_file_of_lines():
    assert lines_file(Path("/dev/null")) is None
