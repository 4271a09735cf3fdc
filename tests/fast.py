"""Which tests `pytest -m fast` runs: those without torch, a compiler or another process, half of the suite.

A test is fast unless its module, its fixtures or its own imports need what HEAVY names, or SLOW lists it.
Other modules are not imported in a fast run, so that it passes in an install without extras.
"""

from __future__ import annotations

import inspect
import re
import sys
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FORBIDDEN = ("torch", "monai", "skimage", "matplotlib", "einops", "dynamic_network_architectures")
HEAVY = re.compile(
    rf"(?m)^([ \t]*)(?:from|import) (?:{'|'.join(FORBIDDEN)}|schedulefree|hypothesis|subprocess|"
    r"segcube\.(?:networks|training|importers|tools\.soup|backends\.(?:torch_cpu|cuda)))\b"
)
HEAVY_FIXTURES = {"save_member", "save_unet", "tumour_once", "commands"}
SLOW = (
    "oracle",
    "real_hosts",
    "cli/test_picture.py",
    "compat/test_checkpoints.py",
    "contract/test_real_scans.py",
    "pages/test_pictures.py",
    "phantoms",
    "release/check/test_weights.py",
    "release/pack",
    "release/trial",
)
"""Folders and modules, relative to this folder."""
PROCESSES = ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.system")


def is_fast_run(config: pytest.Config) -> bool:
    return config.getoption("markexpr") == "fast"


@cache
def is_heavy(module: Path) -> bool:
    """Whether importing a module of tests, or what it imports of these tests, needs what HEAVY names."""
    waiting, seen = {module}, set[Path]()
    while waiting:
        file = waiting.pop()
        seen.add(file)
        text = file.read_text()
        if "" in HEAVY.findall(text):
            return True
        waiting |= {folder / "conftest.py" for folder in file.parents if HERE in folder.parents}
        for dots, name in re.findall(r"(?m)^from (\.+)([\w.]+) import", text):
            waiting.add(file.parents[len(dots) - 1].joinpath(*name.split(".")).with_suffix(".py"))
        waiting = {other for other in waiting - seen if other.is_file()}
    return False


def is_left_out(path: Path) -> bool:
    """Whether a fast run ignores a file or folder."""
    if HERE not in path.parents:
        return False
    place = path.relative_to(HERE).as_posix()
    if any(place == slow or place.startswith(f"{slow}/") for slow in SLOW):
        return True
    file = path / "conftest.py" if path.is_dir() else path
    return file.suffix == ".py" and file.is_file() and is_heavy(file)


def is_fast(item: pytest.Function) -> bool:
    fixtures = [found[-1].func for found in item._fixtureinfo.name2fixturedefs.values()]
    sources = [inspect.getsource(function) for function in (item.function, *fixtures)]
    return not (
        is_left_out(item.path)
        or HEAVY_FIXTURES & set(item.fixturenames)
        or "torch" in item.name.partition("[")[2]
        or any(HEAVY.search(source) or "os.fork(" in source for source in sources)
    )


def forbid(event: str, arguments: tuple) -> None:
    """An audit hook of fast runs: torch looks as if it were not installed, and no process can be started."""
    if event == "import" and arguments[0].partition(".")[0] in FORBIDDEN:
        raise ModuleNotFoundError(f"a fast test imports {arguments[0]}", name=arguments[0])
    if event in PROCESSES:
        raise RuntimeError(f"a fast test starts a process: {event}")


def begin_fast_run() -> None:
    assert not set(FORBIDDEN) & set(sys.modules)
    sys.addaudithook(forbid)
