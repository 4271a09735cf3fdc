from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from segcube.cli.app import app
from segcube.release.check import CheckReport, check_submission
from segcube.release.check.findings import FindingCode
from segcube.spec.submission import sha256_of

FIRST = "MedNeXtV10.safetensors"
DOCUMENTS = {"LICENCE", "CITATION", "MODEL_CARD"}


def check(folder: Path) -> CheckReport:
    return check_submission(folder, "cpu")


def codes(report: CheckReport) -> set[str]:
    return {str(finding.code) for finding in report.errors}


def edit(folder: Path, **changes: Any) -> dict[str, Any]:
    file = folder / "submission.yaml"
    content = yaml.safe_load(file.read_text()) | changes
    file.write_text(yaml.safe_dump(content))
    return content


def change_weights(file: Path, value: float) -> None:
    """Fill the first tensor with a value; the card stays."""
    with safe_open(file, framework="pt") as opened:
        card = opened.metadata()
    weights = load_file(file)
    name = next(iter(weights))
    save_file(weights | {name: torch.full_like(weights[name], value)}, file, card)


def test_a_valid_submission_passes_with_a_dry_run(tumour_submission):
    report = check(tumour_submission)
    assert report.errors == ()
    assert {str(finding.code) for finding in report.warnings} == DOCUMENTS
    assert report.facts[0].startswith("tumour for brats2023-gli, brats2023-ssa: 2 members")
    assert report.facts[1].startswith("dry run: ")


def test_a_starter_with_all_documents_has_one_warning(tumour_submission):
    edit(tumour_submission, licence="CC-BY-4.0", citation="Author, 2024", starter=True)
    (tumour_submission / "MODEL_CARD.md").write_text("# Card\n")
    assert [(f.level, str(f.code)) for f in check(tumour_submission).findings] == [("warning", "STARTER")]


def test_an_order_that_exchanges_labels_is_a_warning(tumour_submission):
    order = [
        {"region": "WT", "label": "NCR"},
        {"region": "TC", "label": "ED"},
        {"region": "ET", "label": "ET"},
    ]
    edit(tumour_submission, postprocess=[{"rule": "write", "order": order}])
    found = {f.found for f in check(tumour_submission).warnings if f.code is FindingCode.WRITE_ORDER}
    assert "for brats2023-gli: NCR is written as ED" in found


@pytest.mark.parametrize("content", ["stages: [", "name: a\n", ""])
def test_an_invalid_submission_yaml_is_an_error(tumour_submission, content):
    (tumour_submission / "submission.yaml").write_text(content)
    report = check(tumour_submission)
    assert codes(report) == {"SUBMISSION"}
    assert report.exit_code() == 3


def test_every_bad_member_is_reported(tumour_submission):
    (tumour_submission / FIRST).unlink()
    change_weights(tumour_submission / "MedNeXtV11.safetensors", float("nan"))
    edit(tumour_submission, serves=["brats2024-ped", "mbas2024"])
    report = check(tumour_submission)
    assert codes(report) == {"MISSING_WEIGHTS", "SHA256", "WEIGHTS", "CHALLENGE"}
    assert "not finite" in next(f.found for f in report.errors if str(f.code) == "WEIGHTS")
    assert "mbas2024" in next(f.found for f in report.errors if str(f.code) == "CHALLENGE")
    assert "skipped" in report.facts[1]


def test_a_truncated_weights_file_is_an_error(tumour_submission):
    file = tumour_submission / FIRST
    file.write_bytes(file.read_bytes()[:-9])
    assert codes(check(tumour_submission)) == {"SHA256", "WEIGHTS"}


def test_channels_and_classes_are_compared(tumour_submission, save_member):
    content = edit(tumour_submission)
    members = content["stages"][0]["branches"][0]["members"]
    members[0] = save_member(tumour_submission, 4, 2, 5)
    members[1] = save_member(tumour_submission, 1, 3, 6)
    edit(tumour_submission, **content)
    report = check(tumour_submission)
    assert [str(finding.code) for finding in report.errors] == ["MEMBER", "MEMBER"]


def test_logits_that_are_not_finite_are_reported_with_their_file(tumour_submission):
    file = tumour_submission / FIRST
    change_weights(file, 3e38)
    content = edit(tumour_submission)
    content["stages"][0]["branches"][0]["members"][0]["sha256"] = sha256_of(file)
    edit(tumour_submission, **content)
    report = check(tumour_submission)
    assert [(str(f.code), f.file) for f in report.errors] == [("DRY_RUN", file)]
    assert "not finite" in report.errors[0].found


def test_the_dry_run_includes_later_stages(tmp_path, save_unet):
    branch = {
        "channels": ["lge"],
        "axes": "zyx",
        "crop": "none",
        "window": {"size": [8, 16, 12]},
    }
    heart = {"kind": "labels", "names": ["background", "heart"]}
    atria = {"kind": "labels", "names": ["background", "wall", "RA", "LA"]}
    stages = [
        {
            "name": "heart",
            "branches": [branch | {"outputs": heart, "members": [save_unet(tmp_path, 1, 2, 0)]}],
        },
        {
            "name": "atria",
            "follows": {"stage": "heart", "as": "onehot_channels"},
            "branches": [branch | {"outputs": atria, "members": [save_unet(tmp_path, 2, 4, 1)]}],
        },
    ]
    content = {"name": "a-cascade", "challenge": "mbas2024", "stages": stages}
    (tmp_path / "submission.yaml").write_text(yaml.safe_dump(content))
    log: list[str] = []
    assert check_submission(tmp_path, "cpu", log.append).errors == ()
    assert log[-1] == "the whole submission: one synthetic case"
    assert len([line for line in log if "one window" in line]) == 2


def test_the_command_prints_json(tumour_submission):
    (tumour_submission / FIRST).unlink()
    result = CliRunner().invoke(
        app, ["check", "submission", str(tumour_submission), "--json", "--device", "cpu"]
    )
    assert result.exit_code == 3
    assert [f["code"] for f in json.loads(result.stdout)["findings"] if f["level"] == "error"] == [
        "MISSING_WEIGHTS"
    ]
