"""Values that options and settings can take, and limits of volumes; the command line needs both at once."""

from __future__ import annotations

from typing import Literal, TypeAlias

BackendName: TypeAlias = Literal["auto", "torch", "openvino"]
Precision: TypeAlias = Literal["auto", "fp32", "fp16", "bf16"]
Preset: TypeAlias = Literal["fast", "balanced", "full"]
Compile: TypeAlias = Literal["auto", "on", "off"]
OnError: TypeAlias = Literal["skip", "empty", "stop"]
Checkpoint: TypeAlias = Literal["final", "best"]

MAX_VOXELS = 2**28
"""Voxels of a volume, as stored and as resampled for a network; larger ones are rejected."""

MAX_AXIS = 2**15 - 1
"""Voxels along one axis: label maps are NIfTI-1, with 16-bit sizes."""

SPACING_RANGE_MM = (1e-4, 1e4)
"""Shortest and longest spacing that is plausible in millimetres."""
