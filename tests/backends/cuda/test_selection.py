from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from segcube.backends.cuda import selection as cuda_driver

COMPILER = shutil.which("gcc")
RECORDER = """
#include <stdio.h>
static void note(const char *what, int number) {
  FILE *file = fopen("%s", "a");
  fprintf(file, "%%s %%d\\n", what, number);
  fclose(file);
}
int cuInit(unsigned flags) { note("init", (int)flags); return FAILS; }
int cuDeviceGet(int *device, int number) { note("device", number); *device = 40 + number; return 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = 0; note("retain", device); return 0; }
"""


def woken(device: str) -> None:
    cuda_driver.wake(device)
    for thread in threading.enumerate():
        if thread.name == "wake":
            thread.join()


@pytest.fixture
def calls(tmp_path: Path, monkeypatch):
    """A driver that writes down what it is asked; `fails` is what its first call gives."""

    def build(fails: int = 0) -> Path:
        source, library, notes = tmp_path / "driver.c", tmp_path / "driver.so", tmp_path / "notes"
        source.write_text(RECORDER % notes)
        subprocess.run([COMPILER, "-shared", "-fPIC", f"-DFAILS={fails}", source, "-o", library], check=True)
        monkeypatch.setattr(cuda_driver, "DRIVER", str(library))
        return notes

    return build


@pytest.mark.skipif(COMPILER is None, reason="no gcc")
@pytest.mark.parametrize(("device", "number"), [("auto", 0), ("cuda", 0), ("cuda:3", 3)])
def test_the_context_of_the_device_that_was_asked_for_is_made(device, number, calls):
    notes = calls()
    woken(device)
    assert notes.read_text().splitlines() == ["init 0", f"device {number}", f"retain {40 + number}"]


@pytest.mark.skipif(COMPILER is None, reason="no gcc")
def test_a_driver_that_does_not_begin_is_asked_nothing_more(calls):
    notes = calls(fails=100)
    woken("cuda")
    assert notes.read_text() == "init 0\n"


def test_without_a_driver_nothing_is_said(monkeypatch, capfd):
    monkeypatch.setattr(cuda_driver, "DRIVER", "libnosuchdriver.so")
    woken("cuda")
    assert capfd.readouterr() == ("", "")
