"""The documentation names what the package has."""

from __future__ import annotations

import re
from pathlib import Path

from segcube.core import Code
from segcube.release.check.findings import FindingCode

DOCS = Path(__file__).parents[1] / "docs"


def test_each_reason_code_has_a_heading():
    headings = re.findall(r"^### (\w+)$", (DOCS / "reason-codes.md").read_text(), re.M)
    assert len(headings) == len(set(headings))
    assert set(headings) == {code.value for code in (*Code, *FindingCode)}
