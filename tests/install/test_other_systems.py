"""Commands on other systems than Linux, as far as Linux can imitate them."""

from __future__ import annotations

import shutil

GLIOMA = ("--challenge", "brats2023-gli")
MACOS = """
import os, sys, sysconfig
import asyncio, multiprocessing, subprocess, urllib.request  # while they still find Linux
sysconfig.get_config_vars()

def hide(event, values):
    if event == "open" and str(values[0]).startswith(("/proc/", "/sys/")):
        raise FileNotFoundError(2, "no such file", values[0])

for name in ("sched_getaffinity", "O_TMPFILE", "memfd_create", "posix_fadvise"):
    delattr(os, name)
sys.addaudithook(hide)
sys.platform = "darwin"
"""
WINDOWS = """
import sys
sys.modules.update(fcntl=None, resource=None)
sys.platform = "win32"
"""


def test_cases_are_predicted_checked_scored_and_ranked_on_macos(
    run_after, succeed, cases, tumour_submission, tmp_path
):
    run, data, maps = run_after(MACOS), cases / "data", tmp_path / "maps"
    succeed(
        run,
        ("infer", "--data_path", data, "--output_path", maps, "--weights", tumour_submission),
        ("check", "input", data, *GLIOMA),
        ("check", "output", maps, "--data", data, *GLIOMA),
        ("check", "submission", tumour_submission),
        ("evaluate", "--pred", maps, "--ref", cases / "labels", *GLIOMA, "--json", tmp_path / "a.json"),
    )
    shutil.copy(tmp_path / "a.json", tmp_path / "b.json")
    succeed(run, ("rank", tmp_path / "a.json", tmp_path / "b.json"))


def test_windows_is_refused_by_name(run_after):
    ended = run_after(WINDOWS)("--version")
    assert ended.returncode != 0
    assert ended.stderr.splitlines()[-1].startswith("ImportError: segcube runs on Linux and macOS")
