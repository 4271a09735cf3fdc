from __future__ import annotations

import pytest

from segcube.release.check.findings import FindingCode
from segcube.release.pack.order import image_findings, refusals


@pytest.mark.parametrize(
    "image", ["docker.synapse.org/syn123/brats:1", "ghcr.io/spark/brats-ssa:v2", "localhost:5000/team/a:1"]
)
def test_a_name_that_can_be_pulled_is_fine(image):
    assert image_findings(image) == []


@pytest.mark.parametrize(
    "image",
    [
        "segcube:latest",
        "segcube",
        "docker.io/your-team/brats:1",
        "docker.synapse.org/example/brats:1",
        "REGISTRY/TEAM/NAME",
        "<image>",
        "",
        "team/a b",
    ],
)
def test_a_placeholder_or_a_name_without_a_team_is_an_error(image):
    assert [finding.code for finding in image_findings(image)] == [FindingCode.IMAGE_NAME]


def test_a_starter_is_refused(tumour_submission):
    text = (tumour_submission / "submission.yaml").read_text()
    (tumour_submission / "submission.yaml").write_text(text + "starter: true\n")
    report = refusals(tumour_submission, "team/a:1", device="cpu")
    assert FindingCode.STARTER in [finding.code for finding in report.errors]
