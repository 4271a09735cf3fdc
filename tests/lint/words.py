"""Find retired words in the package and its documentation: `python tests/lint/words.py [PLACE...]`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).with_name("retired_words.txt")
PLACES = ("project", "mlcube", "docs", "benchmarks", "README.md", "CONTRIBUTING.md", "Dockerfile", "Makefile")
ENDINGS = {".py", ".pyi", ".cpp", ".h", ".cu", ".cuh", ".md", ".yaml", ".yml", ".txt", ""}


def table() -> dict[re.Pattern[str], str]:
    """Each retired expression and what to write instead."""
    lines = [line for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    pairs = [line.split("\t") for line in lines]
    # A word ends at an underscore or a digit too
    return {re.compile(rf"(?<![A-Za-z])(?:{words})(?![A-Za-z])", re.I): instead for words, instead in pairs}


def words_of(line: str) -> str:
    """A line with its CamelCase identifiers split into words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", line)


def findings(file: Path) -> list[str]:
    """The retired words of one file, a line each."""
    found: list[str] = []
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
        for pattern, instead in table().items():
            match = pattern.search(line) or pattern.search(words_of(line))
            if match:
                found.append(f"{file}:{number}: {match[0]!r}: write {instead}")
    return found


def main(places: list[str]) -> int:
    """Print the findings in tracked files; 1 if there are any."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *(places or PLACES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [ROOT / name for name in listed.stdout.split("\0") if name and Path(name).suffix in ENDINGS]
    found = [finding for file in files if file.is_file() for finding in findings(file)]
    print("\n".join(found) or "no retired words")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
