"""Install the wheel in every supported Python of this machine but the default one, and use it there.

`python tests/install/other_pythons.py WHEEL`, started by the default one; `make test-pythons` builds the
wheel. Of several, the oldest Python gets the oldest dependencies that pyproject.toml accepts, and the others
the newest; the newest Python runs `segcube demo` too. PYTHONS="/path/to/python3.12 ..." names the
interpreters instead of searching for them. Fails where one of them cannot be used.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
ASK = "import sys; print(*sys.version_info[:2])"


def supported_versions() -> list[tuple[int, int]]:
    """The versions that pyproject.toml accepts, the oldest first."""
    [(first, last)] = re.findall(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"])
    return [(3, minor) for minor in range(int(first), int(last))]


def version_of(python: str | Path) -> tuple[int, int] | None:
    """The version of an interpreter; None for one that does not start, such as a shim."""
    answer = subprocess.run([python, "-c", ASK], capture_output=True, text=True, check=False)
    if answer.returncode:
        return None
    major, minor = answer.stdout.split()
    return int(major), int(minor)


def find_pythons() -> dict[tuple[int, int], Path]:
    """An interpreter of each supported version but this one's, by version."""
    named = [Path(path) for path in os.environ.get("PYTHONS", "").split()]
    if named:
        return {version_of(path) or (0, 0): path for path in named}
    found: dict[tuple[int, int], Path] = {}
    for major, minor in supported_versions():
        name = f"python{major}.{minor}"
        on_path = [Path(path) for path in (shutil.which(name),) if path]
        for path in (*sorted(PYENV.glob(f"versions/{major}.{minor}.*/bin/{name}")), *on_path):
            if (major, minor) != sys.version_info[:2] and version_of(path) == (major, minor):
                found[major, minor] = path
    return found


def oldest_dependencies() -> str:
    """Constraints for pip: each dependency at the least version of its range."""
    least = (re.match(r"([\w.-]+)>=([\d.]+)", dependency) for dependency in PROJECT["dependencies"])
    return "\n".join(f"{found[1]}=={found[2]}" for found in least if found)


def install(python: Path, folder: Path, wheel: Path, oldest: bool) -> Path:
    """Install the wheel in an environment that is kept between runs; returns its interpreter."""
    inner = folder / "bin" / "python"
    if not inner.is_file() or version_of(inner) != version_of(python):
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
    (folder / "constraints.txt").write_text(oldest_dependencies() if oldest else "")
    pip = [inner, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, wheel, "-c", folder / "constraints.txt"], check=True)
    # The version of a rebuilt wheel is the same
    subprocess.run([*pip, "--force-reinstall", "--no-deps", wheel], check=True)
    return inner


def use(python: Path, wheel: Path, oldest: bool, options: list[str]) -> None:
    """Run smoke.py in an environment, from an empty folder."""
    version = version_of(python)
    assert version in supported_versions(), f"{python} is Python {version}, expected a supported version"
    start = perf_counter()
    inner = install(python, ROOT / f".venv-py{version[0]}.{version[1]}", wheel, oldest)
    installed = perf_counter()
    with tempfile.TemporaryDirectory() as empty:
        smoke = Path(__file__).with_name("smoke.py")
        subprocess.run([inner, "-P", smoke, *options], cwd=empty, check=True)
    times = f"installed in {installed - start:.0f} s, used in {perf_counter() - installed:.0f} s"
    print(f"Python {version[0]}.{version[1]}: {times}", flush=True)


def main() -> None:
    """Use the wheel in every interpreter."""
    wheel = Path(sys.argv[1]).absolute()
    pythons = find_pythons()
    for index, version in enumerate(sorted(pythons)):
        oldest, newest = index == 0 and len(pythons) > 1, index == len(pythons) - 1
        use(pythons[version], wheel, oldest, ["--demo"] if newest else [])
    if not pythons:
        print("no other supported Python on this machine")


if __name__ == "__main__":
    main()
