from __future__ import annotations

import numpy as np
import pytest

from segcube.core import Box
from segcube.inference.merge import BranchLabels, BranchOutput, StageOutput
from segcube.transforms import Placement, Resampler, label_indices
from segcube.transforms.orient import Orientation

SHAPE = (6, 4, 3)
WHOLE = Box((0, 0, 0), SHAPE)
PLAIN = Orientation((0, 1, 2), (False, False, False))


def branch(box: Box, values_kxyz: np.ndarray, share: float) -> BranchOutput:
    placement = Placement(SHAPE, PLAIN, box, Resampler(box.shape, box.shape, 1))
    return BranchOutput(placement, values_kxyz, np.full(len(values_kxyz), share, dtype=np.float32))


def merged(branches, kind="labels", merge="probabilities", frame=WHOLE, gate_xyz=None) -> StageOutput:
    names = ("background", "wall") if kind == "labels" else ("WT",)
    return StageOutput("a stage", names, kind, merge, SHAPE, tuple(branches), frame, gate_xyz)


def test_outside_its_crop_a_branch_votes_for_background(everywhere):
    box = Box((1, 1, 0), (3, 3, 3))
    inside = np.stack([np.full(box.shape, 0.1), np.full(box.shape, 0.4)]).astype(np.float32)
    all_over = np.stack([np.full(SHAPE, 0.0), np.full(SHAPE, 0.5)]).astype(np.float32)
    values = everywhere(merged([branch(box, inside, 0.5), branch(Box((0, 0, 0), SHAPE), all_over, 0.5)]))
    np.testing.assert_allclose(values[:, 1, 1, 0], [0.1, 0.9])
    np.testing.assert_allclose(values[:, 0, 0, 0], [0.5, 0.5])


def test_logits_outside_a_crop_are_background_for_certain(everywhere):
    box = Box((1, 1, 0), (3, 3, 3))
    logits = np.full((1, *box.shape), 2.0, dtype=np.float32)
    values = everywhere(merged([branch(box, logits, 1.0)], kind="regions", merge="logits"))
    assert np.float16(values[0, 0, 0, 0]) == 0
    np.testing.assert_allclose(values[0, 1, 1, 0], 1 / (1 + np.exp(-2.0)), rtol=1e-6)


def test_outside_the_gate_all_is_background(everywhere):
    all_over = np.stack([np.full(SHAPE, 0.2), np.full(SHAPE, 0.8)]).astype(np.float32)
    gate_xyz = np.zeros(SHAPE, dtype=bool)
    gate_xyz[2, 2, 2] = True
    values = everywhere(merged([branch(Box((0, 0, 0), SHAPE), all_over, 1.0)], gate_xyz=gate_xyz))
    np.testing.assert_allclose(values[:, 2, 2, 2], [0.2, 0.8])
    assert (values[0][~gate_xyz] == 1).all()
    assert (values[1][~gate_xyz] == 0).all()


def test_around_its_frame_all_is_background(everywhere):
    frame = Box((2, 1, 1), (4, 3, 3))
    placement = Placement(
        frame.shape, PLAIN, Box((0, 0, 0), frame.shape), Resampler(frame.shape, frame.shape, 1)
    )
    values = np.full((1, *frame.shape), 0.7, dtype=np.float32)
    output = everywhere(
        merged([BranchOutput(placement, values, np.ones(1, np.float32))], kind="regions", frame=frame)
    )
    assert output.shape == (1, *SHAPE)
    np.testing.assert_allclose(output[0][frame.slices], 0.7)
    np.testing.assert_allclose(output.sum(), 0.7 * 8, rtol=1e-6)


def test_no_branches_mean_background_everywhere(everywhere):
    values = everywhere(merged([]))
    assert (values[0] == 1).all()
    assert (values[1] == 0).all()


def test_boxes_cover_what_may_hold_anything_along_the_axis_that_lies_outermost(monkeypatch):
    monkeypatch.setattr("segcube.inference.merge.SLAB_BYTES", 4 * 2 * 5 * 4 * 2)
    turn = Orientation((2, 1, 0), (False, False, False))
    box = Box((0, 0, 1), (3, 4, 6))
    values = np.zeros((2, *box.shape), dtype=np.float32)
    placement = Placement(SHAPE, turn, box, Resampler(box.shape, box.shape, 1))
    places = [place for place, _ in merged([BranchOutput(placement, values, np.ones(2))]).slabs()]
    assert places == [Box((1, 0, 0), (6, 4, 2)), Box((1, 0, 2), (6, 4, 3))]


def test_only_the_joined_crops_inside_the_gate_are_looked_at():
    branches = [
        branch(box, np.zeros((2, *box.shape), np.float32), 0.5)
        for box in (Box((0, 0, 0), (2, 2, 2)), Box((2, 1, 1), (4, 4, 3)))
    ]
    assert merged(branches).box == Box((0, 0, 0), (4, 4, 3))
    gate_xyz = np.zeros(SHAPE, dtype=bool)
    gate_xyz[3:6, 1, 1] = True
    assert merged(branches, gate_xyz=gate_xyz).box == Box((3, 1, 1), (4, 2, 2))


def test_labels_of_merged_logits_are_output_apart_where_their_probabilities_are_not():
    lower = np.float32(0.1)
    logits = np.stack([np.full(SHAPE, lower), np.full(SHAPE, np.nextafter(lower, np.float32(1)))])
    output = merged([branch(WHOLE, logits, 1.0)], merge="logits")
    ((_, probabilities_kxyz),) = output.slabs()
    assert (probabilities_kxyz[0] == probabilities_kxyz[1]).all()
    assert (label_indices(output) == 1).all()


def test_labels_outside_the_gate_are_background():
    gate_xyz = np.zeros(SHAPE, dtype=bool)
    gate_xyz[2, 2, 2] = gate_xyz[3, 1, 0] = True
    logits = np.stack([np.zeros(SHAPE), np.ones(SHAPE)]).astype(np.float32)
    output = merged([branch(WHOLE, logits, 1.0)], merge="logits", gate_xyz=gate_xyz)
    np.testing.assert_array_equal(label_indices(output), gate_xyz)


def test_labels_that_alone_are_left_stand_where_their_branch_lies():
    turn, frame, box = Orientation((2, 1, 0)), Box((1, 0, 0), (6, 4, 3)), Box((0, 1, 2), (3, 4, 5))
    indices = np.arange(1, 28, dtype=np.uint8).reshape(3, 3, 3)
    placement = Placement(frame.shape, turn, box, Resampler(box.shape, box.shape, 1))
    gate_xyz = np.ones(SHAPE, dtype=bool)
    gate_xyz[3, 2, 0] = False
    expected = np.zeros(SHAPE)
    expected[3:6, 1:4, 0:3] = indices.transpose(2, 1, 0)
    expected[3, 2, 0] = 0
    output = merged([BranchLabels(placement, indices)], merge="logits", frame=frame, gate_xyz=gate_xyz)
    np.testing.assert_array_equal(label_indices(output), expected)


def test_probabilities_of_labels_that_alone_are_left_cannot_be_had():
    placement = Placement(SHAPE, PLAIN, WHOLE, Resampler(SHAPE, SHAPE, 1))
    with pytest.raises(AssertionError, match="labels alone"):
        list(merged([BranchLabels(placement, np.zeros(SHAPE, np.uint8))]).slabs())


def test_a_shut_gate_leaves_nothing_to_look_at():
    values = np.ones((2, *SHAPE), dtype=np.float32)
    shut = merged([branch(WHOLE, values, 1.0)], gate_xyz=np.zeros(SHAPE, dtype=bool))
    assert list(shut.slabs()) == []
