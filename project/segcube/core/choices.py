"""Values that options and settings can take; the command line needs them before it imports pydantic."""

from __future__ import annotations

from typing import Literal, TypeAlias

BackendName: TypeAlias = Literal["auto", "torch", "openvino"]
Precision: TypeAlias = Literal["auto", "fp32", "fp16", "bf16"]
Preset: TypeAlias = Literal["fast", "balanced", "full"]
Compile: TypeAlias = Literal["auto", "on", "off"]
OnError: TypeAlias = Literal["skip", "empty", "stop"]
Checkpoint: TypeAlias = Literal["final", "best"]
