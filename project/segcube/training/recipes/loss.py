"""Schema of a recipe's loss."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from segcube.core import StrictModel
from segcube.training.recipes.augmentation import Positive, Probability


class DistanceLoss(StrictModel):
    """MONAI's HausdorffDTLoss (Karimi et al. 2020) beside the other parts, without the background.

    With its weight w, the loss is (1 - w) times the others plus w times this part. w is 0 before `start`, a
    share of the steps, rises by equal amounts every `interval` from there on, and is `weight` from `end` on.
    power: of the distances (MONAI's alpha).
    """

    weight: Annotated[float, Field(gt=0.0, le=1.0)]
    start: Probability = 0.5
    end: Probability = 1.0
    interval: Annotated[float, Field(gt=0.0, le=1.0)] = 0.01
    power: Positive = 2.0

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.start > self.end:
            raise ValueError(f"start {self.start} after end {self.end}; expected shares in this order")
        return self

    def weight_at(self, progress: float) -> float:
        """Return the weight after a share of the steps."""
        if progress < self.start:
            return 0.0
        if progress >= self.end:
            return self.weight
        rises = math.ceil((self.end - self.start) / self.interval)
        # Half of a millionth of a rise, for shares that are no binary fractions
        risen = math.floor((progress - self.start) / self.interval + 5e-7) + 1
        return self.weight * min(risen / rises, 1.0)


class Loss(StrictModel):
    """A sum of weighted parts, of logits against labels or regions.

    entropy: auto is ce for labels and bce for regions; focal and topk (cross-entropy of the hardest voxels)
    replace it. dice: nnunet is nnU-Net's soft Dice, monai MONAI's DiceLoss. dice_smooth: added to both sides
    of its fraction; a larger one makes few wrong voxels of an absent class cost less. batch_dice: one Dice
    over the batch; auto follows the planner. supervision: weights of the lower resolutions: nnunet halves
    them, leaves out the lowest and normalises to 1; mednext halves them without normalising; none uses the
    full resolution alone.
    """

    dice: Literal["nnunet", "monai", "none"] = "nnunet"
    dice_weight: Positive = 1.0
    dice_smooth: Positive = 1e-5
    entropy: Literal["auto", "ce", "bce", "focal", "topk", "none"] = "auto"
    entropy_weight: Positive = 1.0
    batch_dice: Literal["auto"] | bool = "auto"
    background: bool = False
    """Whether the Dice of labels counts the background."""
    focal_gamma: Annotated[float, Field(ge=0.0)] = 2.0
    top_k: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    supervision: Literal["nnunet", "mednext", "none"] = "nnunet"
    distance: DistanceLoss | None = None

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if self.dice == "none" and self.entropy == "none":
            raise ValueError("dice and entropy are both none; expected at least one")
        return self
