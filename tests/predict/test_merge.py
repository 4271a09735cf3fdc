from __future__ import annotations

import numpy as np

from segcube.predict.merge import Merged, Part
from segcube.preprocess import Box, Orientation, Placement, Resampler

SHAPE = (6, 4, 3)
WHOLE = Box((0, 0, 0), SHAPE)
PLAIN = Orientation((0, 1, 2), (False, False, False))


def part(box: Box, values_kxyz: np.ndarray, share: float) -> Part:
    placement = Placement(SHAPE, PLAIN, box, Resampler(box.shape, box.shape, 1))
    return Part(placement, values_kxyz, np.full(len(values_kxyz), share, dtype=np.float32))


def merged(parts, kind="labels", merge="probabilities", frame=WHOLE, gate_xyz=None) -> Merged:
    names = ("background", "wall") if kind == "labels" else ("WT",)
    return Merged("a stage", names, kind, merge, SHAPE, tuple(parts), frame, gate_xyz)


def whole(m: Merged) -> np.ndarray:
    return np.concatenate([np.asarray(slab) for _, slab in m.slabs()], axis=1)


def test_outside_its_crop_a_branch_votes_for_background():
    box = Box((1, 1, 0), (3, 3, 3))
    inside = np.stack([np.full(box.shape, 0.1), np.full(box.shape, 0.4)]).astype(np.float32)
    everywhere = np.stack([np.full(SHAPE, 0.0), np.full(SHAPE, 0.5)]).astype(np.float32)
    values = whole(merged([part(box, inside, 0.5), part(Box((0, 0, 0), SHAPE), everywhere, 0.5)]))
    np.testing.assert_allclose(values[:, 1, 1, 0], [0.1, 0.9])
    np.testing.assert_allclose(values[:, 0, 0, 0], [0.5, 0.5])


def test_logits_outside_a_crop_are_background_for_certain():
    box = Box((1, 1, 0), (3, 3, 3))
    logits = np.full((1, *box.shape), 2.0, dtype=np.float32)
    values = whole(merged([part(box, logits, 1.0)], kind="regions", merge="logits"))
    assert np.float16(values[0, 0, 0, 0]) == 0
    np.testing.assert_allclose(values[0, 1, 1, 0], 1 / (1 + np.exp(-2.0)), rtol=1e-6)


def test_outside_the_gate_all_is_background():
    everywhere = np.stack([np.full(SHAPE, 0.2), np.full(SHAPE, 0.8)]).astype(np.float32)
    gate_xyz = np.zeros(SHAPE, dtype=bool)
    gate_xyz[2, 2, 2] = True
    values = whole(merged([part(Box((0, 0, 0), SHAPE), everywhere, 1.0)], gate_xyz=gate_xyz))
    np.testing.assert_allclose(values[:, 2, 2, 2], [0.2, 0.8])
    assert (values[0][~gate_xyz] == 1).all()
    assert (values[1][~gate_xyz] == 0).all()


def test_around_its_frame_all_is_background():
    frame = Box((2, 1, 1), (4, 3, 3))
    placement = Placement(
        frame.shape, PLAIN, Box((0, 0, 0), frame.shape), Resampler(frame.shape, frame.shape, 1)
    )
    values = np.full((1, *frame.shape), 0.7, dtype=np.float32)
    told = whole(merged([Part(placement, values, np.ones(1, np.float32))], kind="regions", frame=frame))
    assert told.shape == (1, *SHAPE)
    np.testing.assert_allclose(told[0][frame.slices], 0.7)
    np.testing.assert_allclose(told.sum(), 0.7 * 8, rtol=1e-6)


def test_no_parts_mean_background_everywhere():
    values = whole(merged([]))
    assert (values[0] == 1).all()
    assert (values[1] == 0).all()


def test_slabs_come_in_order_and_cover_the_grid(monkeypatch):
    monkeypatch.setattr("segcube.predict.merge.SLAB_BYTES", 4 * 2 * 4 * 3 * 2)
    places = [(place.start, place.stop) for place, _ in merged([]).slabs()]
    assert places == [(0, 2), (2, 4), (4, 6)]
