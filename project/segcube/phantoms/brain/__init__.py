"""Synthetic brains with tumours."""

from segcube.phantoms.brain.brain import Brain as Brain
from segcube.phantoms.brain.brain import BrainRequest as BrainRequest
from segcube.phantoms.brain.brain import make_brain as make_brain
from segcube.phantoms.brain.tissues import Tissue as Tissue
