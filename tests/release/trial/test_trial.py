from __future__ import annotations

import pytest

from segcube.release.trial.trial import Subject, prepare
from segcube.spec.hosts import DEFAULT_PARAMETERS, HOSTS


@pytest.fixture
def subject(tmp_path) -> Subject:
    for name in ("weights", "data"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.txt").touch()
    return Subject("mine", tmp_path / "weights", "brats2023-gli", tmp_path / "data")


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_every_mount_has_what_its_host_puts_there(host, subject, tmp_path):
    trial = prepare(host, subject, tmp_path / "trial")
    for mount in host.mounts:
        source = trial.sources[mount.target]
        if mount.content in ("data", "weights"):
            assert [file.name for file in source.iterdir()] == [f"{mount.content}.txt"]
        elif mount.content == "parameters":
            file = source if mount.alone else source / str(mount.file)
            assert file.read_bytes() == DEFAULT_PARAMETERS.read_bytes()
        elif mount.content == "nothing":
            assert (source / str(mount.file)).stat().st_size == 0
        else:
            assert list(source.iterdir()) == []
