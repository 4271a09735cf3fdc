"""What a generator of phantoms does: its anatomy, its contrasts, and the steps that can be left out."""

from __future__ import annotations

from typing import Literal

from segcube.core import StrictModel


class Generator(StrictModel):
    """Which steps make a synthetic brain; hearts have none of these choices.

    anatomy: procedural, or icbm152, the average of 152 adults (needs nilearn). contrast: physics draws
    tissues, field strength and sequences for each case; fixed draws them once for all cases; free changes the
    physical contrast of each tissue in each channel by a factor of its own. composition: off gives every
    glioma one seed, half of it core with an enhancing rim. distractors: bright and dark places that are no
    tumour. thick_slices: in half of the channels. mass_effect: the push of the core.
    """

    anatomy: Literal["procedural", "icbm152"] = "procedural"
    contrast: Literal["physics", "fixed", "free"] = "physics"
    composition: bool = True
    distractors: bool = True
    thick_slices: bool = True
    mass_effect: bool = True


USUAL = Generator()
SECOND = Generator(anatomy="icbm152", contrast="free")
"""For validation: it shares neither anatomy nor contrasts with the usual one."""
