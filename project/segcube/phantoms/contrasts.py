"""Brightness of a synthetic brain's tissues in each channel."""

from __future__ import annotations

from segcube.phantoms.lesions import Tissue

Range = tuple[float, float]
_TABLE = """
tissue    | t2f       | t1n       | t1c       | t2w
spots     | 1.2 1.6   | 0.92 1    | 0.92 1    | 1 1.2
grey      | 1.05 1.3  | 0.75 0.88 | 0.8 0.95  | 1.05 1.35
fluid     | 0.15 0.45 | 0.25 0.45 | 0.25 0.45 | 2 3.4
choroid   | 0.9 1.4   | 0.6 0.8   | 1.3 2     | 1.2 2
vessel    | 0.6 1.1   | 0.8 1.1   | 1.5 2.8   | 0.4 1.2
EDEMA     | 1.25 1.6  | 0.6 0.78  | 0.65 0.82 | 1.6 2.2
CORE      | 0.7 1.5   | 0.45 0.65 | 0.4 0.65  | 1.4 2.3
ENHANCING | 1.1 1.5   | 0.65 0.9  | 1.25 2.1  | 1.15 1.6
CYST      | 0.4 1     | 0.35 0.55 | 0.35 0.55 | 2 3
CAVITY    | 0.2 0.5   | 0.3 0.45  | 0.3 0.45  | 2 3.2
"""


def _read_table() -> dict[str, dict[str | Tissue, Range]]:
    header, *rows = [[cell.strip() for cell in line.split("|")] for line in _TABLE.strip().splitlines()]
    contrasts: dict[str, dict[str | Tissue, Range]] = {channel: {} for channel in header[1:]}
    for name, *cells in rows:
        for channel, cell in zip(header[1:], cells, strict=True):
            low, high = map(float, cell.split())
            contrasts[channel][Tissue[name] if name.isupper() else name] = low, high
    return contrasts


CONTRASTS = _read_table()
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
