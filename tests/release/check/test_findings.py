from __future__ import annotations

from pathlib import Path

from segcube.core import CaseError, Code, EnvironmentFault
from segcube.release.check import CheckReport, print_report
from segcube.release.check.findings import Finding, FindingCode, error, from_fault, warning
from segcube.release.check.report import SHOWN

FILE = Path("maps") / "a.nii.gz"
ERROR = error(Code.TRUNCATED, "half a file", file=FILE, expected="a whole file", hint="copy it again")
WARNING = warning(FindingCode.IGNORED, "an odd file", file=FILE)


def report(*findings: Finding) -> CheckReport:
    return CheckReport("output", Path("maps"), findings, ("1 map of 1 case",), "mbas2024")


def test_errors_exit_with_3_and_warnings_only_if_strict():
    codes = {(): (0, 0), (WARNING,): (0, 3), (ERROR,): (3, 3), (ERROR, WARNING): (3, 3)}
    assert {
        found: (report(*found).exit_code(), report(*found).exit_code(strict=True)) for found in codes
    } == codes


def test_json_has_every_part_of_a_finding():
    content = report(ERROR, WARNING).as_json()
    assert (content["exit_code"], content["errors"], content["warnings"], content["challenge"]) == (
        3,
        1,
        1,
        "mbas2024",
    )
    assert content["findings"][0] == {
        "level": "error",
        "code": "TRUNCATED",
        "file": "maps/a.nii.gz",
        "found": "half a file",
        "expected": "a whole file",
        "hint": "copy it again",
    }


def test_a_finding_keeps_code_and_file_of_its_error():
    case_fault = CaseError(Code.NDIM, "two axes", file=FILE)
    assert from_fault(case_fault, FindingCode.WEIGHTS, Path("other")).code is Code.NDIM
    assert from_fault(case_fault, FindingCode.WEIGHTS, Path("other")).file == FILE
    other = from_fault(EnvironmentFault("gone"), FindingCode.WEIGHTS, FILE)
    assert (other.code, other.file, other.level) == (FindingCode.WEIGHTS, FILE, "error")


def test_findings_are_printed_below_their_file(capsys):
    print_report(report(ERROR, WARNING))
    assert capsys.readouterr().out.splitlines() == [
        "1 map of 1 case",
        "",
        "a.nii.gz",
        "  error TRUNCATED  half a file",
        "      expected: a whole file",
        "      fix: copy it again",
        "  warning IGNORED  an odd file",
        "",
        "failed: 1 error, 1 warning",
    ]


def test_many_findings_of_one_code_are_shortened_and_counted(capsys):
    many = [warning(FindingCode.IGNORED, f"file {index}", file=Path("maps")) for index in range(SHOWN + 3)]
    print_report(report(*many))
    printed = capsys.readouterr().out
    assert f"file {SHOWN - 1}" in printed
    assert f"file {SHOWN}\n" not in printed
    assert "and 3 more IGNORED" in printed


def test_a_file_name_that_is_not_valid_text_can_be_printed(capsys):
    print_report(report(error(FindingCode.STRAY, "x", file=Path("maps/\udcff\n.txt"))))
    assert "\\n.txt" in capsys.readouterr().out


def test_a_code_brings_its_usual_advice_and_a_finding_may_replace_it():
    usual = error(FindingCode.FOLDER, "a folder", file=FILE)
    assert (usual.expected, usual.hint) == ("a flat folder of label maps", "move its maps up or remove it")
    own = warning(FindingCode.FOLDER, "a folder", file=FILE, expected="files")
    assert (own.level, own.expected, own.hint) == ("warning", "files", usual.hint)
