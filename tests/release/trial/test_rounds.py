from __future__ import annotations

import pytest

from segcube.phantoms import write_phantoms
from segcube.release.check.findings import FindingCode
from segcube.release.trial import exit_code
from segcube.release.trial.rounds import Start, check_hosts
from segcube.release.trial.trial import Subject
from segcube.spec.challenges import load_challenge
from segcube.spec.hosts import HOSTS

NAMES = ("mlcube-weights", "medperf-0.2-bare")


@pytest.fixture
def subject(tumour_submission, tmp_path) -> Subject:
    write_phantoms(load_challenge("brats2023-gli"), 1, 0, tmp_path / "cases", edge=16)
    return Subject("tumour", tumour_submission, "brats2023-gli", tmp_path / "cases" / "data")


def test_hosts_that_bring_the_weights_run_as_processes_with_the_same_labels(subject):
    outcomes = check_hosts([host for host in HOSTS if host.name in NAMES], [subject], Start())
    assert [(o.host.name, o.verdict, o.why) for o in outcomes] == [(name, "passed", "") for name in NAMES]
    assert exit_code(outcomes) == 0


def test_a_run_that_fails_is_told_with_its_last_words(subject):
    next(subject.weights.glob("*.safetensors")).unlink()
    [outcome] = check_hosts([HOSTS[1]], [subject], Start())
    assert outcome.verdict == "failed"
    assert [finding.code for finding in outcome.findings] == [FindingCode.EXIT]
    assert "exit code 5" in outcome.why
    assert "no such file" in outcome.why
    assert exit_code([outcome]) == 3
