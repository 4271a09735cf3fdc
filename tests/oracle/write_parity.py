"""Write docs/parity.md: parity.md, its lines such as {losses.md} replaced by tables of `make test-oracle`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TABLES = ROOT / "build" / "oracle"


def main() -> int:
    """Fill in the tables; 1 where one is missing."""
    text = (HERE / "parity.md").read_text()
    names = re.findall(r"^\{(.+)\}$", text, re.M)
    if missing := [name for name in names if not (TABLES / name).is_file()]:
        print(f"no table {', '.join(missing)} in {TABLES}: run make test-oracle", file=sys.stderr)
        return 1
    for name in names:
        text = text.replace(f"{{{name}}}", (TABLES / name).read_text().rstrip())
    (ROOT / "docs" / "parity.md").write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
