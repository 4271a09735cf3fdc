import numpy as np
import pytest

from segcube.core import Grid
from segcube.phantoms.measure import Quantity, measure_case
from segcube.spec.challenges import load_challenge

ATRIA, GLIOMA = load_challenge("mbas2024"), load_challenge("brats2021-gli")
MM = Grid((40, 40, 20), np.diag([1.0, 1.0, 2.0, 1.0]))
LA, WALL = ATRIA.labels["LA"], ATRIA.labels["wall"]


@pytest.fixture
def heart():
    """A block of blood of brightness 100 under a wall of 60, in lung of 20, on an offset of 200."""
    labels = np.zeros(MM.shape, np.uint8)
    labels[10:30, 10:20, 5:15] = LA
    labels[10:30, 20:22, 5:15] = WALL
    image = np.full(MM.shape, 200.0)
    image += np.choose(labels, [20.0, 60.0, 0.0, 100.0])
    return image[None], labels


def test_brightness_is_relative_to_blood_above_the_darkest_tissue(heart):
    values = measure_case(*heart, MM, ATRIA)
    assert values[Quantity("contrast", "wall", "lge")] == pytest.approx(0.5)
    assert values[Quantity("contrast", "5 to 8 mm from blood", "lge")] == 0
    assert values[Quantity("z-score", "LA", "lge")] > 1
    assert Quantity("contrast", "LA", "lge") not in values


def test_sizes_are_in_millimetres_and_millilitres(heart):
    values = measure_case(*heart, MM, ATRIA)
    assert [values[Quantity("size", f"LA {axis} mm")] for axis in "xyz"] == [20, 10, 20]
    assert values[Quantity("size", "LA mL")] == pytest.approx(4)


def test_labels_are_shares_of_all_and_may_be_nearly_absent(heart):
    image, labels = heart
    labels[0, 0, 0] = ATRIA.labels["RA"]
    values = measure_case(image, labels, MM, ATRIA)
    assert values[Quantity("composition", "LA share")] == pytest.approx(2000 / 2401)
    assert values[Quantity("composition", "RA below 1 %")] == 1
    assert values[Quantity("composition", "LA below 1 %")] == 0
    assert values[Quantity("composition", "components")] == 1


def test_noise_and_texture_are_told_apart(heart):
    image, labels = heart
    labels[...] = LA
    rng = np.random.default_rng(0)
    noise, texture = "finer than 1.5 mm", "1.5 to 6 mm"
    fine = measure_case(300 + rng.normal(0, 10, image.shape), labels, MM, ATRIA)
    x = np.arange(40)[:, None, None]
    wide = measure_case(np.broadcast_to(300 + 10 * np.sin(x / 2.5), image.shape), labels, MM, ATRIA)
    assert fine[Quantity("noise", noise, "lge")] > 2 * fine[Quantity("noise", texture, "lge")]
    assert wide[Quantity("noise", texture, "lge")] > 2 * wide[Quantity("noise", noise, "lge")]


def test_brains_are_measured_against_white_matter():
    grid = Grid((40, 40, 40), np.eye(4))
    tissue = np.zeros(grid.shape, int)
    tissue[4:36, 4:36, 4:36] = 1
    tissue[4:36, 4:22, 4:36] = 2
    labels = np.zeros(grid.shape, np.uint8)
    labels[26:34, 26:34, 26:34] = GLIOMA.labels["ET"]
    levels = {"t1c": (0, 80, 100), "t1n": (0, 80, 100), "t2f": (0, 110, 100), "t2w": (0, 130, 100)}
    rng = np.random.default_rng(0)
    image = np.stack([np.take(levels[name], tissue) for name in GLIOMA.channel_names]).astype(float)
    image[:, labels > 0] = 150
    image *= rng.normal(1, 0.02, image.shape)
    values = measure_case(image, labels, grid, GLIOMA)
    assert values[Quantity("contrast", "ET", "t1c")] == pytest.approx(1.5, abs=0.05)
    assert values[Quantity("contrast", "grey matter", "t2w")] == pytest.approx(1.3, abs=0.05)
    assert values[Quantity("size", "brain mL")] == pytest.approx(32.8, abs=0.1)
    assert values[Quantity("size", "TC x mm")] == 8


def test_a_scan_without_labels_has_no_contrast_of_its_parts(heart):
    image, labels = heart
    values = measure_case(image, np.zeros_like(labels), MM, ATRIA)
    assert values == {Quantity("composition", "components"): 0}


def test_unlabelled_blood_is_no_reference(heart):
    image, labels = heart
    walls = ATRIA.model_copy(
        update={"labels": {"background": 0, "wall": WALL}, "regions": {"wall": ("wall",)}}
    )
    values = measure_case(image, np.where(labels == WALL, WALL, 0), MM, walls)
    assert {quantity.group for quantity in values} == {"composition", "size"}


def test_a_constant_channel_has_no_z_scores(heart):
    _, labels = heart
    image = np.full((4, *MM.shape), 7.0)
    values = measure_case(image, np.where(labels > 0, GLIOMA.labels["ET"], 0), MM, GLIOMA)
    assert not any(quantity.group == "z-score" for quantity in values)
