from __future__ import annotations

import os
from pathlib import Path

import pytest

from segcube.release.trial.engine import Engine
from segcube.release.trial.trial import Subject, Trial
from segcube.spec.hosts import HOSTS


def words(name: str) -> list[str]:
    host = next(host for host in HOSTS if host.name == name)
    sources = {mount.target: Path("/there") / str(i) for i, mount in enumerate(host.mounts)}
    subject = Subject("mine", Path("/weights"), "brats2023-gli", Path("/data"))
    return Engine("docker").arguments("segcube", Trial(host, subject, sources), "n")


def test_a_person_gives_two_mounts_and_no_arguments():
    assert words("docker") == [
        "docker",
        "run",
        "--rm",
        "--name",
        "n",
        "--volume",
        "/there/0:/input:ro",
        "--volume",
        "/there/1:/output",
        "segcube",
    ]


def test_what_stands_behind_the_image_is_the_hosts_command():
    said = words("medperf-0.1.3")
    assert said[said.index("segcube") + 1 :] == [
        "infer",
        "--data_path=/mlcube_io0",
        "--parameters_file=/mlcube_io1/parameters.yaml",
        "--output_path=/mlcube_io2",
    ]


@pytest.mark.parametrize("name", ["medperf-0.1.3", "medperf-0.2", "brats-2025", "sealed"])
def test_hosts_without_a_network_give_none_and_a_user_of_their_own(name):
    said = words(name)
    assert said[said.index("--network") + 1] == "none"
    user = said[said.index("--user") + 1]
    assert user == "12345:12345" if name == "sealed" else user.startswith(f"{os.getuid() or 1000}:")


def test_the_strictest_host_takes_all_away():
    assert {"--read-only", "--cap-drop=ALL", "--shm-size=64k", "--env=HOME=/"} < set(words("sealed"))
