"""Schema of a recipe's cascade: how a second stage uses the label map of the first."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from segcube.core import StrictModel
from segcube.training.recipes.augmentation import Probability

LARGEST_RADIUS = 50


def _check_increasing(ends: tuple[int, int]) -> tuple[int, int]:
    if ends[0] > ends[1]:
        raise ValueError(f"expected a range, its lower end first; found {list(ends)}")
    return ends


Radius: TypeAlias = Annotated[int, Field(ge=1, le=LARGEST_RADIUS)]
Radii: TypeAlias = Annotated[tuple[Radius, Radius], AfterValidator(_check_increasing)]


class MaskMorphology(StrictModel):
    """Dilate, erode, close or open labels of the mask by a ball, each as likely, the labels in random order.

    p: probability for each sample, and p_label for each label of it. radius: in whole voxels, drawn
    uniformly. What a label gains the others lose. nnU-Net's ApplyRandomBinaryOperatorTransform, which draws
    radii that are no whole numbers; their footprints are not centred.
    """

    p: Probability
    p_label: Probability = 0.5
    radius: Radii = (1, 8)


class ComponentRemoval(StrictModel):
    """Remove a random component of labels of the mask, 26-connected within the patch.

    p: probability for each sample, and p_label for each label of it. largest_share: of the patch; larger
    components stay. nnU-Net's RemoveRandomConnectedComponentFromOneHotEncodingTransform.
    """

    p: Probability
    p_label: Probability = 0.5
    largest_share: Probability = 0.15


class Cascade(StrictModel):
    """How a second stage uses the label map of the first.

    as gate: only voxels within the dilated mask take part in the loss, and the result is background outside
    of it (anenbergb/MBAS). as onehot_channels: each label of the map is a further channel of the image
    (nnU-Net). dilate: of a gate, the radius of a ball, in voxels of the branch's grid. keep: what is kept of
    the first stage's map, on the native grid. morphology, removal: change the mask of a training patch.
    """

    as_: Annotated[Literal["gate", "onehot_channels"], Field(alias="as")] = "gate"
    dilate: Annotated[int, Field(ge=0, le=LARGEST_RADIUS)] = 0
    keep: Literal["largest_component", "all"] = "largest_component"
    morphology: MaskMorphology | None = None
    removal: ComponentRemoval | None = None

    @model_validator(mode="after")
    def _check_dilation(self) -> Self:
        if self.dilate and self.as_ != "gate":
            raise ValueError(f"dilate {self.dilate} as {self.as_}; expected as: gate, or dilate: 0")
        return self
