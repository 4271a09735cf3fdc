"""How a stage of an nnU-Net cascade takes the one before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from segcube.errors import UsageError
from segcube.importers.nnunet.labels import Decision
from segcube.importers.nnunet.model import Model
from segcube.submission import Follows, Length


@dataclass(frozen=True)
class Gate:
    """MBAS's way: outside the earlier mask all is background."""

    keep: Literal["largest_component", "all"] = "largest_component"


def follows_of(model: Model, stage: str, earlier: Decision, own: Decision, gate: Gate) -> Follows:
    """How a model follows the stage that was decided so: as MBAS's gate, or by nnU-Net's one-hot channels.

    Raises UsageError when the two stages' labels differ where they have to be the same.
    """
    configuration = model.configuration
    if configuration.is_cascaded_mask:
        radius = Length(radius=configuration.cascaded_mask_dilation, unit="voxels")
        return Follows(stage=stage, as_="gate", dilate=radius, keep=gate.keep, grid="branch")
    if set(earlier.labels) != set(own.labels):
        raise UsageError(
            f"the earlier stage finds {', '.join(earlier.labels)}",
            file=model.source,
            expected=", ".join(own.labels) + ", as the cascade",
        )
    ordered = earlier.labels == own.labels and not earlier.paint
    names = None if ordered else own.labels
    return Follows(stage=stage, as_="onehot_channels", names=names, paint=earlier.paint)
