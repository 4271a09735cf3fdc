"""Size of an install without extras, and seconds from `pip install` to the first label map.

`python benchmarks/install.py WHEEL`; `make install-size` builds the wheel. Works in an empty folder with the
interpreter that starts it. Sizes are those of the installed files with Python's bytecode, without pip; the
goal is in MiB, as `du -m` prints. Fails above the goal, and where torch was installed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

GOAL_MIB = 450
LISTED = 8
NOT_INSTALLED_BY_US = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence")
CHALLENGE = "brats2023-gli"


def seconds(folder: Path, *words: str | Path) -> float:
    """Wall time of a command."""
    start = perf_counter()
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return perf_counter() - start


def sizes(packages: Path) -> dict[str, int]:
    """Bytes of each package's files, those of NAME.libs and NAME-1.0.dist-info apart; the largest first."""
    found = {
        entry.name: sum(file.stat().st_size for file in (entry, *entry.rglob("*")) if file.is_file())
        for entry in packages.iterdir()
        if not entry.name.startswith(NOT_INSTALLED_BY_US)
    }
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def main() -> None:
    """Install, predict, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    wheel = parser.parse_args().wheel.absolute()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        binaries = folder / "env" / "bin"
        seconds(folder, sys.executable, "-m", "venv", "env")
        installing = seconds(folder, binaries / "pip", "install", "--disable-pip-version-check", wheel)
        packages = next((folder / "env" / "lib").glob("python*")) / "site-packages"
        found = sizes(packages)
        bytecode = sum(file.stat().st_size for file in packages.rglob("*.pyc"))
        seconds(folder, binaries / "segcube", "phantoms", "cases", "--challenge", CHALLENGE)
        folders = ("--data_path", "cases/data", "--output_path", "maps")
        predicting = seconds(folder, binaries / "segcube", "infer", *folders, "--challenge", CHALLENGE)
        assert list((folder / "maps").iterdir()), "infer wrote a map"
    total = sum(found.values())
    for package, size in list(found.items())[:LISTED]:
        print(f"{package:24} {size / 1e6:6.1f} MB")
    print(f"{'all packages':24} {total / 1e6:6.1f} MB = {total / 2**20:.1f} MiB; goal: {GOAL_MIB} MiB")
    print(f"{'bytecode among it':24} {bytecode / 1e6:6.1f} MB")
    both = installing + predicting
    print(f"pip install {installing:.1f} s + first label map {predicting:.1f} s = {both:.1f} s")
    if total / 2**20 > GOAL_MIB or "torch" in found:
        sys.exit("error: the install is too large, or holds torch")


if __name__ == "__main__":
    main()
