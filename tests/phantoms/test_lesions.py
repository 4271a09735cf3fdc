import numpy as np
import pytest
from scipy import ndimage

from segcube.phantoms.anatomy import make_anatomy
from segcube.phantoms.fields import Space
from segcube.phantoms.lesions import Tissue, plant_lesions

GLIOMA = {Tissue.EDEMA, Tissue.CORE, Tissue.ENHANCING}


@pytest.fixture(scope="module")
def anatomy():
    space = Space(np.arange(-76.0, 77, 3), np.arange(-94.0, 95, 3), np.arange(-76.0, 77, 3))
    return make_anatomy(np.random.default_rng(0), space)


def test_only_given_tissues_occur(anatomy):
    for kinds in (GLIOMA, {Tissue.CORE}, set(Tissue) - {Tissue.HEALTHY}):
        found = set(np.unique(plant_lesions(np.random.default_rng(3), anatomy, kinds)).tolist())
        assert found == {Tissue.HEALTHY, *kinds}


def test_lesions_stay_inside_the_brain(anatomy):
    tissue = plant_lesions(np.random.default_rng(4), anatomy, GLIOMA)
    assert anatomy.depth_xyz[tissue > 0].min() > 2.5


def test_the_core_is_nested_in_edema(anatomy):
    tissue = plant_lesions(np.random.default_rng(5), anatomy, GLIOMA)
    core = tissue >= Tissue.CORE
    around = ndimage.binary_dilation(core, iterations=2) & ~core & (anatomy.depth_xyz > 6)
    assert (tissue[around] == Tissue.EDEMA).mean() > 0.5


def test_the_rim_is_nearer_to_the_border_than_the_core(anatomy):
    seeds = (np.random.default_rng(seed) for seed in range(6))
    tissues = [plant_lesions(rng, anatomy, GLIOMA) for rng in seeds]
    depth = [ndimage.distance_transform_edt(t >= Tissue.CORE) for t in tissues]
    rim = np.concatenate([d[t == Tissue.ENHANCING] for d, t in zip(depth, tissues, strict=True)])
    heart = np.concatenate([d[t == Tissue.CORE] for d, t in zip(depth, tissues, strict=True)])
    assert rim.mean() < heart.mean()
