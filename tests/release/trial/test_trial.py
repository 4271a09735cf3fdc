from __future__ import annotations

import shutil

import pytest

from segcube.core import UsageError
from segcube.release.trial.trial import Workload, prepare, workload_of
from segcube.spec.hosts import DEFAULT_PARAMETERS, HOSTS


@pytest.fixture
def workload(tmp_path) -> Workload:
    for name in ("weights", "data"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.txt").touch()
    return Workload("mine", tmp_path / "weights", "brats2023-gli", tmp_path / "data")


def test_every_mount_has_the_files_that_its_host_provides(workload, tmp_path):
    mounts = [(host, mount) for host in HOSTS for mount in host.mounts]
    trials = {host.name: prepare(host, workload, tmp_path / host.name) for host in HOSTS}
    for host, mount in mounts:
        trial = trials[host.name]
        source = trial.sources[mount.target]
        if mount.content in ("data", "weights"):
            assert [file.name for file in source.iterdir()] == [f"{mount.content}.txt"]
        elif mount.content == "parameters":
            file = source if mount.single_file else source / str(mount.file)
            assert file.read_bytes() == DEFAULT_PARAMETERS.read_bytes()
        elif mount.content == "nothing":
            assert (source / str(mount.file)).stat().st_size == 0
        else:
            assert list(source.iterdir()) == []


def test_cases_of_the_user_need_one_submission(tumour_submission, tmp_path):
    assert workload_of(tumour_submission.parent, tmp_path).weights == tumour_submission
    shutil.copytree(tumour_submission, tumour_submission.parent / "other")
    with pytest.raises(UsageError, match=r"holds 2 submissions: other, tumour; expected one.*--weights"):
        workload_of(tumour_submission.parent, tmp_path)
