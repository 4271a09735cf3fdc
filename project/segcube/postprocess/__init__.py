"""From probabilities to a label map: thresholds, components, and the rules of a submission."""

from segcube.postprocess.components import largest_component
from segcube.postprocess.dilate import dilate
from segcube.postprocess.first_highest import first_highest
from segcube.postprocess.label_map import label_map
from segcube.postprocess.probabilities import Probabilities, label_indices, region_masks

__all__ = [
    "Probabilities",
    "dilate",
    "first_highest",
    "label_indices",
    "label_map",
    "largest_component",
    "region_masks",
]
