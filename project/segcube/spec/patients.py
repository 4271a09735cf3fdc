"""The patient of a case, by its name; without numpy, which listing challenges does not load."""

from __future__ import annotations

import re

TIMEPOINT = re.compile(r"(?P<patient>.*\d{4,})-\d{1,3}")
"""BraTS case names: the patient's number, then the number of the scan."""


def patient_of(case: str) -> str:
    """Return a case's patient: its name without the number of the scan, if it ends in one."""
    match = TIMEPOINT.fullmatch(case)
    return match["patient"] if match else case
