"""Brightness of a synthetic brain's tissues in each channel."""

from __future__ import annotations

from segcube.phantoms.lesions import Tissue

Range = tuple[float, float]
CONTRASTS: dict[str, dict[str | Tissue, Range]] = {
    "t2f": {
        "spots": (1.2, 1.6),
        "grey": (1.05, 1.3),
        "fluid": (0.15, 0.45),
        "choroid": (0.9, 1.4),
        "vessel": (0.6, 1.1),
        Tissue.EDEMA: (1.25, 1.6),
        Tissue.CORE: (0.7, 1.5),
        Tissue.ENHANCING: (1.1, 1.5),
        Tissue.CYST: (0.4, 1.0),
        Tissue.CAVITY: (0.2, 0.5),
    },
    "t1n": {
        "spots": (0.92, 1.0),
        "grey": (0.75, 0.88),
        "fluid": (0.25, 0.45),
        "choroid": (0.6, 0.8),
        "vessel": (0.8, 1.1),
        Tissue.EDEMA: (0.6, 0.78),
        Tissue.CORE: (0.45, 0.65),
        Tissue.ENHANCING: (0.65, 0.9),
        Tissue.CYST: (0.35, 0.55),
        Tissue.CAVITY: (0.3, 0.45),
    },
    "t1c": {
        "spots": (0.92, 1.0),
        "grey": (0.8, 0.95),
        "fluid": (0.25, 0.45),
        "choroid": (1.3, 2.0),
        "vessel": (1.5, 2.8),
        Tissue.EDEMA: (0.65, 0.82),
        Tissue.CORE: (0.4, 0.65),
        Tissue.ENHANCING: (1.25, 2.1),
        Tissue.CYST: (0.35, 0.55),
        Tissue.CAVITY: (0.3, 0.45),
    },
    "t2w": {
        "spots": (1.0, 1.2),
        "grey": (1.05, 1.35),
        "fluid": (2.0, 3.4),
        "choroid": (1.2, 2.0),
        "vessel": (0.4, 1.2),
        Tissue.EDEMA: (1.6, 2.2),
        Tissue.CORE: (1.4, 2.3),
        Tissue.ENHANCING: (1.15, 1.6),
        Tissue.CYST: (2.0, 3.0),
        Tissue.CAVITY: (2.0, 3.2),
    },
}
"""Channel -> tissue -> lowest and highest brightness against white matter.

A case draws one value from each range. The ranges are wide, so that the brightness of a lesion overlaps
with that of grey matter, spots and fluid in every channel, and no threshold finds it.
"""

ARTEFACTS: dict[str, tuple[float, Range]] = {
    "t2f": (0.6, (0.25, 0.5)),
    "t1n": (1.2, (-0.2, -0.1)),
    "t1c": (1.0, (0.2, 0.45)),
    "t2w": (1.0, (0.2, 0.45)),
}
"""Channel -> threshold of smooth noise for a blotch, in deviations, and the relative change of the signal."""
