from __future__ import annotations

import pytest

from segcube.phantoms import PhantomSet, write_phantoms
from segcube.release.check.findings import FindingCode
from segcube.release.trial import exit_code
from segcube.release.trial.hosts import Launcher, check_hosts
from segcube.release.trial.trial import Workload
from segcube.spec.challenges import load_challenge
from segcube.spec.hosts import HOSTS

NAMES = ("mlcube-weights", "medperf-0.2-bare")


@pytest.fixture
def workload(tumour_submission, tmp_path) -> Workload:
    write_phantoms(PhantomSet(load_challenge("brats2023-gli"), 1, 0), tmp_path / "cases", edge=16)
    return Workload("tumour", tumour_submission, "brats2023-gli", tmp_path / "cases" / "data")


def test_hosts_with_mounted_weights_run_as_processes_with_the_same_labels(workload):
    outcomes = check_hosts([host for host in HOSTS if host.name in NAMES], [workload], Launcher())
    assert [(o.host.name, o.verdict, o.why) for o in outcomes] == [(name, "passed", "") for name in NAMES]
    assert exit_code(outcomes) == 0


def test_a_failed_run_is_reported_with_the_end_of_its_log(workload):
    next(workload.weights.glob("*.safetensors")).unlink()
    [outcome] = check_hosts([HOSTS[1]], [workload], Launcher())
    assert outcome.verdict == "failed"
    assert [finding.code for finding in outcome.findings] == [FindingCode.EXIT]
    assert "exit code 5" in outcome.why
    assert "no such file" in outcome.why
    assert exit_code([outcome]) == 3
