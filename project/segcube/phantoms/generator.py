"""What a generator of phantoms does: its anatomy, its contrasts, and the steps that can be left out."""

from __future__ import annotations

from typing import Literal

from segcube.core import StrictModel


class Generator(StrictModel):
    """Which steps make a phantom.

    anatomy: procedural, or another one: of brains the average of 152 adults (ICBM152, needs nilearn), of
    hearts bent ones with other pulmonary veins. contrast: physics draws tissues, field strength and sequences
    for each case; fixed draws them once for all cases; free changes the physical contrast of each tissue in
    each channel by a factor of its own. The rest is of brains alone. composition: off gives every
    glioma one seed, half of it core with an enhancing rim. distractors: bright and dark places that are no
    tumour. thick_slices: in half of the channels. mass_effect: the push of the core.
    """

    anatomy: Literal["procedural", "other"] = "procedural"
    contrast: Literal["physics", "fixed", "free"] = "physics"
    composition: bool = True
    distractors: bool = True
    thick_slices: bool = True
    mass_effect: bool = True


USUAL = Generator()
SECOND = Generator(anatomy="other", contrast="free")
"""For validation: it shares neither anatomy nor contrasts with the usual one."""
