"""What networks are tried on before they are trusted."""

from __future__ import annotations

import torch

from segcube.core import Shape


def selftest_window(channels: int, window: Shape) -> torch.Tensor:
    """A window of noise, always the same: (1, channels, *window)."""
    return torch.randn((1, channels, *window), generator=torch.Generator().manual_seed(0))
