from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from segcube.backends.openvino import INDEX
from segcube.release.check.weights import CheckedWeights, check_graphs, check_weights
from segcube.spec.submission import read_submission

FIRST = "MedNeXtV10.safetensors"


def edit(folder: Path, **changes: Any) -> dict[str, Any]:
    file = folder / "submission.yaml"
    content = yaml.safe_load(file.read_text()) | changes
    file.write_text(yaml.safe_dump(content))
    return content


def test_valid_members_are_counted(tumour_submission):
    checked = check_weights(read_submission(tumour_submission), tumour_submission)
    assert checked.findings == ()
    assert checked.size == sum(file.stat().st_size for file in tumour_submission.glob("*.safetensors"))
    assert checked.parameters > 0
    [totals] = checked.facts(read_submission(tumour_submission))
    assert "2 members" in totals


@pytest.mark.parametrize(("parameters", "text"), [(31_240_000, "31.2 M"), (12_345, "12 k"), (640, "640")])
def test_parameters_of_small_networks_are_counted_in_thousands(tumour_submission, parameters, text):
    [totals] = CheckedWeights((), 0, parameters).facts(read_submission(tumour_submission))
    assert totals.endswith(f" {text} parameters")


def test_unused_and_repeated_weights_are_warnings(tumour_submission):
    content = edit(tumour_submission)
    members = content["stages"][0]["branches"][0]["members"]
    shutil.copy(tumour_submission / FIRST, tumour_submission / "twin.safetensors")
    members.append(members[0] | {"file": "twin.safetensors"})
    edit(tumour_submission, **content)
    (tumour_submission / "fold7.safetensors").write_bytes(b"x")
    (tumour_submission / "fold7.pth").write_bytes(b"x")
    found = check_weights(read_submission(tumour_submission), tumour_submission).findings
    assert [(finding.level, str(finding.code), finding.file.name) for finding in found] == [
        ("warning", "SAME_WEIGHTS", "twin.safetensors"),
        ("warning", "UNUSED_WEIGHTS", "fold7.pth"),
        ("warning", "UNUSED_WEIGHTS", "fold7.safetensors"),
    ]


def graph_findings(folder):
    return [(f.level, str(f.code), f.file.name) for f in check_graphs(read_submission(folder), folder)]


def test_a_compiled_submission_gives_no_finding(tumour_submission):
    assert graph_findings(tumour_submission) == []


def test_members_that_are_not_compiled_are_a_warning(tumour_submission):
    (tumour_submission / INDEX).unlink()
    assert graph_findings(tumour_submission) == [("warning", "NOT_COMPILED", "tumour")]


def test_a_changed_compiled_network_is_an_error(tumour_submission):
    file = min(tumour_submission.glob("*.openvino"))
    file.write_bytes(b"spoiled")
    assert graph_findings(tumour_submission) == [("error", "GRAPH", file.name)]
