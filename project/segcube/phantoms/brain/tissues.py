"""The tissues of a synthetic brain."""

from __future__ import annotations

from enum import IntEnum


class Tissue(IntEnum):
    """A tissue of its own brightness; the challenge's YAML defines the label values of the lesions' ones."""

    WHITE = 0
    GREY = 1
    DEEP_GREY = 2
    FLUID = 3
    CHOROID = 4
    VESSEL = 5
    DURA = 6
    SPOT = 7
    """White matter of small vessel disease, bright in FLAIR."""
    BONE = 8
    FAT = 9
    EDEMA = 10
    CORE = 11
    """Tumour without enhancement, or its necrosis."""
    ENHANCING = 12
    CYST = 13
    BLOOD = 14
    """Haemorrhage within the core."""
    CAVITY = 15
    """Of a resection."""


LESION = (
    Tissue.EDEMA,
    Tissue.CORE,
    Tissue.ENHANCING,
    Tissue.CYST,
    Tissue.BLOOD,
    Tissue.CAVITY,
)
"""The tissues that labels may name."""
