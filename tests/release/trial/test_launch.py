from __future__ import annotations

import os
import sys
from pathlib import Path

from segcube.release.trial.launch import Engine, run_to_end
from segcube.release.trial.trial import Trial, Workload
from segcube.spec.hosts import HOSTS


def words(name: str) -> list[str]:
    host = next(host for host in HOSTS if host.name == name)
    sources = {mount.target: Path("/there") / str(i) for i, mount in enumerate(host.mounts)}
    workload = Workload("mine", Path("/weights"), "brats2023-gli", Path("/data"))
    return Engine("docker").arguments("segcube", Trial(host, workload, sources), "n")


def test_docker_run_needs_two_mounts_and_no_arguments():
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


def test_the_hosts_command_follows_the_name_of_the_image():
    command = words("medperf-0.1.3")
    assert command[command.index("segcube") + 1 :] == [
        "infer",
        "--data_path=/mlcube_io0",
        "--parameters_file=/mlcube_io1/parameters.yaml",
        "--output_path=/mlcube_io2",
    ]


def test_hosts_without_network_disable_it_and_set_a_user():
    for name in ("medperf-0.1.3", "medperf-0.2", "brats-2025", "sealed"):
        command = words(name)
        assert command[command.index("--network") + 1] == "none"
        user = command[command.index("--user") + 1]
        assert user == "12345:12345" if name == "sealed" else user.startswith(f"{os.getuid() or 1000}:")


def test_the_strictest_host_removes_all_privileges():
    assert {"--read-only", "--cap-drop=ALL", "--shm-size=64k", "--env=HOME=/"} < set(words("sealed"))


def test_both_streams_and_the_exit_code_are_kept():
    code = "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)"
    ended = run_to_end([sys.executable, "-c", code], 60)
    assert (ended.code, ended.log.split()) == (3, ["out", "err"])


def test_a_process_is_killed_at_its_time_limit_and_its_log_kept():
    code = "import time; print('begun', flush=True); time.sleep(60)"
    ended = run_to_end([sys.executable, "-c", code], 2)
    assert (ended.code, ended.log.strip()) == (None, "begun")
    assert ended.seconds < 30
