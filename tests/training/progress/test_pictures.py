from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from scipy import ndimage

from segcube.core import Case
from segcube.formats import discover_cases
from segcube.pages import label_colours
from segcube.training.progress import draw_first_batch, draw_validation, read_history
from segcube.training.progress.pictures import IGNORED, draw_curves, index_colours, patch_grid


@dataclass
class Batch:
    image_bcxyz: torch.Tensor
    target: torch.Tensor


def batch(size: int, label: int = 0) -> Batch:
    """Dark patches with a block of a label index."""
    labels = torch.zeros(size, 8, 12, 16, dtype=torch.uint8)
    labels[:, 2:6, 3:9, 4:12] = label
    return Batch(torch.zeros(size, 4, 8, 12, 16), labels)


def count(image: np.ndarray, colour: str) -> int:
    """Pixels that are about as a label's border is drawn: its colour at 0.9 over black."""
    return int((np.abs(image[..., :3] - 0.9 * np.array(to_rgb(colour))).max(-1) < 0.05).sum())


def draw(folder, plan, challenge, *batches: Batch) -> np.ndarray:
    draw_first_batch(folder / "first-batch.png", batches, plan, challenge)
    return imread(folder / "first-batch.png")


@pytest.mark.parametrize("index", [1, 2, 3])
def test_labels_are_outlined_in_the_colours_of_their_indices(plan, glioma, tmp_path, index):
    colours = list(label_colours(glioma).values())
    found = draw(tmp_path, plan, glioma, batch(1, index))
    shown = [count(found[:-60], colour) > 0 for colour in colours]
    assert shown == [number == index for number in (1, 2, 3)]


def test_eight_patches_are_drawn_of_as_many_batches_as_they_need(plan, glioma, tmp_path):
    def batches():
        for number in range(10):
            taken.append(number)
            yield batch(3)

    taken: list[int] = []
    draw_first_batch(tmp_path / "a.png", batches(), plan, glioma)
    assert taken == [0, 1, 2]
    two = draw(tmp_path, plan, glioma, batch(2))
    assert imread(tmp_path / "a.png").shape[1] == 4 * two.shape[1]


def test_a_patch_is_shown_where_its_labels_are(plan, glioma, tmp_path):
    """Across the coarsest axis, z; the patch has a label in the highest section alone."""
    one = batch(1)
    one.target[0, 2:6, 3:9, 15] = 1
    assert count(draw(tmp_path, plan, glioma, one)[:-60], label_colours(glioma)[1]) > 0


def test_voxels_outside_and_ignored_ones(plan, glioma, tmp_path):
    outside = draw(tmp_path, plan, glioma, batch(1, 254))
    ignored = draw(tmp_path, plan, glioma, batch(1, 255))
    assert (count(outside[40:-60, 30:], IGNORED), count(ignored[40:-60, 30:], IGNORED) > 0) == (0, True)


def test_colours_follow_the_order_of_values(glioma):
    swapped = glioma.model_copy(update={"labels": {"background": 0, "ET": 9, "NCR": 1, "ED": 4}})
    values = label_colours(swapped)
    assert index_colours(swapped) == {1: values[1], 2: values[4], 3: values[9], 255: IGNORED}


@pytest.mark.parametrize(
    ("orientation", "axes", "columns"),
    [
        ("native", "xyz", [(-1, 0, 0), (0, -2, 0), (0, 0, 3)]),
        ("RAS", "xyz", [(1, 0, 0), (0, 2, 0), (0, 0, 3)]),
        ("RAS", "zyx", [(0, 0, 1), (0, 2, 0), (3, 0, 0)]),
        ("PIR", "xyz", [(0, -1, 0), (0, 0, -2), (3, 0, 0)]),
    ],
)
def test_a_patch_has_the_directions_of_its_branch(plan, orientation, axes, columns):
    branch = plan.branch.model_copy(update={"orientation": orientation, "axes": axes})
    grid = patch_grid((8, 12, 16), (1.0, 2.0, 3.0), branch)
    assert [tuple(column) for column in grid.affine[:3, :3].T] == columns


def test_no_batch_gives_no_picture(plan, glioma, tmp_path):
    draw_first_batch(tmp_path / "a.png", [], plan, glioma)
    assert list(tmp_path.iterdir()) == []


NAME = "BraTS-GLI-00001-000"


@pytest.fixture
def case(make_case, glioma, tmp_path) -> Case:
    make_case(tmp_path / "data", glioma, NAME, shape=(20, 20, 20))
    (found,) = discover_cases(tmp_path / "data", glioma).cases
    return found


def validated(folder, case, glioma, predicted: int, reference: int) -> np.ndarray:
    maps = []
    for value in (predicted, reference):
        map_xyz = np.zeros((20, 20, 20), dtype=np.uint8)
        map_xyz[6:14, 6:14, 8] = value
        maps.append(map_xyz)
    draw_validation(folder, case, *maps, glioma)
    return imread(folder / "thumbnails" / f"{NAME}.png")


def test_a_validated_case_is_drawn_beside_its_reference(case, glioma, tmp_path):
    found = validated(tmp_path, case, glioma, 1, 2)[:-60]
    third = found.shape[1] // 3
    first, second = (label_colours(glioma)[value] for value in (1, 2))
    parts = [found[:, number * third : (number + 1) * third] for number in range(3)]
    assert [(count(part, first) > 0, count(part, second) > 0) for part in parts] == [
        (False, False),
        (False, True),
        (True, False),
    ]


@pytest.mark.parametrize(("predicted", "reference"), [(1, 0), (0, 0)])
def test_a_case_with_empty_reference_labels_is_drawn(case, glioma, tmp_path, predicted, reference):
    found = validated(tmp_path, case, glioma, predicted, reference)[:-60]
    assert (count(found, label_colours(glioma)[1]) > 0) == bool(predicted)


def test_a_picture_that_cannot_be_written_is_reported_only(case, glioma, tmp_path, caplog):
    (tmp_path / "thumbnails").write_text("a file")
    with pytest.raises(NotADirectoryError):
        validated(tmp_path, case, glioma, 1, 1)
    assert "cannot be written" in caplog.text


def test_a_case_that_cannot_be_read_is_reported_only(case, glioma, tmp_path, caplog):
    case.reference_file.write_bytes(b"no image")
    with pytest.raises(FileNotFoundError):
        validated(tmp_path, case, glioma, 1, 1)
    assert case.reference_file.name in caplog.text


def test_curves_are_drawn_of_any_history(records, tmp_path):
    for count_ in (0, len(records)):
        draw_curves(tmp_path / f"{count_}.png", "title", read_history(records[:count_]))
    empty, drawn = (imread(tmp_path / f"{count_}.png") for count_ in (0, len(records)))
    assert empty.shape == drawn.shape
    assert not np.array_equal(empty, drawn)


def test_a_single_validation_is_visible_in_its_chart(tmp_path):
    record = {"kind": "validation", "step": 5, "mean": {"WT": 0.5}}
    draw_curves(tmp_path / "a.png", "title", read_history([record]))
    found = imread(tmp_path / "a.png")
    coloured = np.abs(found[..., :3] - np.array(to_rgb("C0"))).max(-1) < 0.05
    # The legend's sample and the point
    assert ndimage.label(coloured)[1] == 2


@pytest.mark.usefixtures("no_matplotlib")
def test_without_matplotlib_nothing_is_drawn_and_the_extra_is_named_once(plan, glioma, tmp_path, caplog):
    caplog.set_level("INFO", "segcube")
    for name in ("a.png", "b.png"):
        draw_first_batch(tmp_path / name, [batch(1)], plan, glioma)
    draw_curves(tmp_path / "c.png", "title", read_history([]))
    assert list(tmp_path.iterdir()) == []
    assert caplog.messages == [
        "matplotlib is not installed: no pictures are drawn; pip install 'segcube[report]'"
    ]
