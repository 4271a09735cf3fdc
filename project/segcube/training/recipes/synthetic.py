"""Schema of a recipe's phantoms: synthetic cases that a training makes while it runs."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field

from segcube.core import StrictModel
from segcube.phantoms import SECOND, USUAL, Generator

Share: TypeAlias = Annotated[float, Field(gt=0.0, le=1.0)]

Edge: TypeAlias = Annotated[float, Field(ge=0.25, le=20.0)]


GENERATORS = {"usual": USUAL, "second": SECOND}


def _by_name(value: object) -> object:
    """The generator of a name; anything else stays."""
    return GENERATORS.get(value, value) if isinstance(value, str) else value


class Synthetic(StrictModel):
    """Phantoms beside the cases of the data set; none of them is ever validated.

    share: of the training patches that show a phantom; with 1 the cases of the data set only validate. seed:
    of the phantoms. spacing: edge of their voxels in mm, or the edges along x, y and z, over the challenge's
    field of view; None for a grid of the challenge. generator: the steps of a phantom, or usual or second
    as in `segcube phantoms`. buffer: phantoms in memory, of which patches are drawn. patches: of phantoms,
    after which a new phantom replaces the oldest.
    """

    share: Share = 1.0
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    spacing: Edge | tuple[Edge, Edge, Edge] | None = None
    generator: Annotated[Generator, BeforeValidator(_by_name)] = USUAL
    buffer: Annotated[int, Field(ge=8, le=10_000)] = 64
    patches: Annotated[float, Field(gt=0.0)] = 8.0
