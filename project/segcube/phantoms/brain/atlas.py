"""A second healthy anatomy: shares of tissues of an average of 152 adults, MNI's ICBM152, as nilearn has it.

It shares no shape with the procedural anatomy. Networks that were trained on that one are validated on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from segcube.core import UsageError
from segcube.phantoms.brain.anatomy import Healthy, Person, sample, sheets
from segcube.phantoms.brain.shapes import SPACE
from segcube.phantoms.fields import inside

FILE = "datasets/data/mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"
"""Of nilearn 0.14; the maps of grey and white matter are those of Fonov 2009, at 1 mm."""
_MIDDLE_MM = (0.0, -16.0, 8.0)
"""The middle of a phantom's brain, in the template's coordinates."""
_SHARPNESS = 1.8
"""By which shares are sharpened: the average of 152 people blurs folds and ventricles."""
_VENTRICLE_MM = 14.0
"""Least depth of fluid that belongs to the ventricles."""
_NUCLEI_MM = 26.0
"""Depth from which grey matter is that of nuclei."""


@dataclass(frozen=True)
class AtlasAnatomy:
    """The template on the grid of `shapes`, with what is individual about a person."""

    person: Person
    hull_xyz: np.ndarray
    """Signed distance to the brain with the fluid around it, negative inside."""
    hind_xyz: np.ndarray
    ventricle_xyz: np.ndarray
    vessel_xyz: np.ndarray
    threshold_xyz: np.ndarray
    """Share of parenchyma that counts as half a voxel: higher for wide sulci."""

    def at(
        self,
        places_3n: np.ndarray,
        voxel_mm: float,  # noqa: ARG002
        squeeze_n: np.ndarray | float = 0.0,
    ) -> Healthy:
        """Return the anatomy at places (3, N), as `Anatomy.at` does.

        voxel_mm: has no effect, as the template is smooth at 1 to 2 mm.
        """
        fields = (self.hull_xyz, self.hind_xyz, self.ventricle_xyz, self.vessel_xyz, self.threshold_xyz)
        hull, hind, ventricle, vessel, threshold = (sample(field, SPACE, places_3n) for field in fields)
        grey, white = (_at(tissue, places_3n) for tissue in ("gm", "wm"))
        total = np.maximum(grey + white, 1e-6)
        solid = np.clip(0.5 + _SHARPNESS * (total - threshold + 0.1 * squeeze_n), 0, 1)
        cortex = np.clip(0.5 + _SHARPNESS * (grey / total - 0.5), 0, 1) * solid
        nuclei = inside(_NUCLEI_MM + hull, 8.0)
        return Healthy(
            depth_n=-hull,
            ventricle_n=ventricle,
            cerebrum_n=1 - inside(hind, 4.0),
            grey_n=cortex * (1 - nuclei),
            deep_n=cortex * nuclei,
            fluid_n=1 - solid,
            vessel_distance_n=vessel,
        )


def build_atlas(person: Person) -> AtlasAnatomy:
    """Build the anatomy of a person. Raises UsageError where nilearn is not installed."""
    rng = np.random.default_rng(person.seed)
    hull, hind, ventricle = _distances()
    return AtlasAnatomy(
        person=person,
        hull_xyz=hull - person.rim_mm,
        hind_xyz=hind,
        ventricle_xyz=ventricle - 2.0 * (person.ventricles - 1),
        vessel_xyz=np.hypot(sheets(rng, SPACE, 8.0), sheets(rng, SPACE, 8.0)),
        threshold_xyz=0.42 + 0.2 * person.sulcus_mm + 0.07 * SPACE.noise(rng, 8),
    )


@cache
def _map(tissue: str) -> np.ndarray:
    """The share of a tissue at 1 mm, x, y, z ascending, from 0 to 1."""
    spec = find_spec("nilearn")
    file = None if spec is None or spec.origin is None else Path(spec.origin).parent / FILE.format(tissue)
    if file is None or not file.is_file():
        raise UsageError(
            "the anatomy ICBM152 needs a file of the package nilearn",
            hint="pip install --no-deps nilearn==0.14.1",
        )
    image = nib.load(file)
    return np.asanyarray(image.dataobj).astype(np.float32) / 255  # type: ignore[attr-defined]


def _at(tissue: str, places_3n: np.ndarray) -> np.ndarray:
    """Interpolate a map at places of a phantom's brain."""
    origin = np.array([-98.0, -134.0, -72.0])
    indices = places_3n + (np.array(_MIDDLE_MM) - origin)[:, None]
    return ndimage.map_coordinates(_map(tissue), indices, order=1, mode="constant")


@cache
def _distances() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signed distances to the brain, to cerebellum and brain stem, and to the ventricles, on SPACE."""
    places = np.stack([field.ravel() for field in np.meshgrid(*SPACE.axes, indexing="ij")])
    solid = (_at("gm", places) + _at("wm", places)).reshape(SPACE.shape)
    brain = np.asarray(ndimage.binary_fill_holes(ndimage.binary_closing(solid > 0.3, iterations=3)))
    hull = _signed(brain)
    x, y, z = places.reshape(3, *SPACE.shape) + np.array(_MIDDLE_MM)[:, None, None, None]
    cerebellum = (y < -34) & (z < -18 - 0.25 * (y + 34))
    stem = (np.abs(x) < 18) & (y > -44) & (y < -8) & (z < -12)
    fluid = (solid < 0.5) & (hull < -_VENTRICLE_MM) & (np.abs(x) < 42) & (z > -22)
    return hull, _signed(brain & (cerebellum | stem)), _signed(fluid)


def _signed(mask_xyz: np.ndarray) -> np.ndarray:
    """Distance in mm to the border of a mask, negative inside."""
    outside, within = (np.asarray(ndimage.distance_transform_edt(part)) for part in (~mask_xyz, mask_xyz))
    return (outside - within) * SPACE.voxel_mm[0]
