"""What training pipelines did to intensities before all else."""

from __future__ import annotations

from segcube.preprocess.arrays import array_namespace
from segcube.types import Array


def int16_abs(image: Array) -> Array:
    """Cut towards zero to int16, then take the absolute value; float32 comes back.

    Values past int16 wrap around and -32768 stays negative, as numpy's astype and abs do (BraTS-UGRIP).
    """
    xp = array_namespace(image)
    # Straight from float to int16 is undefined past its range; int32 to int16 wraps on every device.
    whole = xp.astype(xp.astype(image, xp.int32), xp.int16)
    return xp.astype(xp.abs(whole), xp.float32)
