"""Schema of a recipe's phantoms: synthetic cases that a training makes while it runs."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from segcube.core import StrictModel
from segcube.phantoms import USUAL, Generator

Share: TypeAlias = Annotated[float, Field(gt=0.0, le=1.0)]

Edge: TypeAlias = Annotated[float, Field(ge=0.25, le=20.0)]


class Synthetic(StrictModel):
    """Phantoms beside the cases of the data set; none of them is ever validated.

    share: of the samples that show a phantom; with 1 the cases of the data set only validate. seed: of the
    phantoms. spacing: edge of their voxels in mm, or the edges along x, y and z, over the challenge's field
    of view; None for a grid of the challenge. generator: which steps make a phantom. buffer: phantoms at
    hand, of which samples are drawn. patches: samples after which a new phantom replaces the oldest.
    """

    share: Share = 1.0
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    spacing: Edge | tuple[Edge, Edge, Edge] | None = None
    generator: Generator = USUAL
    buffer: Annotated[int, Field(ge=8, le=10_000)] = 64
    patches: Annotated[float, Field(gt=0.0)] = 8.0
