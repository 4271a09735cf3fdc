"""The normals of marching cubes: the only place in this room that knows MONAI."""

from __future__ import annotations

from functools import cache

import numpy as np


@cache
def surface_normals() -> np.ndarray:
    """Normals of the surface in each of the 256 cubes of 2x2x2 voxels: (256, 4, 3), unused ones 0.

    A normal's length is its triangle's area between voxels of 1 mm. MONAI's own area table is float32, which
    turns percentiles at ties; its normals are exact, so the areas are computed from them in float64.
    """
    # Torch and MONAI take seconds to import, and only these scores need them.
    from monai.metrics.utils import _get_neighbour_code_to_normals_table  # noqa: PLC0415  # pyright: ignore[reportPrivateUsage]

    return np.asarray(_get_neighbour_code_to_normals_table(), dtype=np.float64)
