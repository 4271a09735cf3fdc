"""From native volumes to a model's input, and back: orientation, crop, intensities, resampling."""

from segcube.preprocess.arrays import array_namespace, beside, to_host
from segcube.preprocess.boxes import Box, mask_box
from segcube.preprocess.crop import nonzero_box, nonzero_mask, positive_box
from segcube.preprocess.holes import fill_holes
from segcube.preprocess.intensity import int16_abs
from segcube.preprocess.label_maps import resample_labels
from segcube.preprocess.lattice import Lattice, plan_resampling
from segcube.preprocess.normalize import foreground_mask, normalize
from segcube.preprocess.orient import Orientation, plan_orientation
from segcube.preprocess.placement import Placement
from segcube.preprocess.resample import Resampler

__all__ = [
    "Box",
    "Lattice",
    "Orientation",
    "Placement",
    "Resampler",
    "array_namespace",
    "beside",
    "fill_holes",
    "foreground_mask",
    "int16_abs",
    "mask_box",
    "nonzero_box",
    "nonzero_mask",
    "normalize",
    "plan_orientation",
    "plan_resampling",
    "positive_box",
    "resample_labels",
    "to_host",
]
