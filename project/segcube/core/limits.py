"""Limits of volumes, for scans and for settings alike; a module without imports, so that it costs nothing."""

MAX_VOXELS = 2**28
"""Voxels of a volume, as stored and as resampled for a network; larger ones are rejected."""

MAX_AXIS = 2**15 - 1
"""Voxels along one axis: label maps are NIfTI-1, with 16-bit sizes."""

SPACING_RANGE_MM = (1e-4, 1e4)
"""Shortest and longest spacing that is plausible in millimetres."""
