"""All faults of label maps."""

from __future__ import annotations

from . import bad_files, bad_grids, bad_values
from .label_maps import FAULTS, ApplyFault

FAULT_MODULES = (bad_files, bad_grids, bad_values)
"""Importing these modules registers their faults."""
WARNINGS = frozenset(
    (
        "FORM_LOST",
        "BIG_ENDIAN",
        "NIFTI2",
        "WIDE_TYPE",
        "EMPTY_MAP",
        "MOSTLY_LABELLED",
        "OUTSIDE_IMAGE",
        "ABSENT_LABEL",
    )
)
"""Codes of warnings; all others are errors."""


__all__ = ["FAULTS", "FAULT_MODULES", "WARNINGS", "ApplyFault"]
