from __future__ import annotations

import numpy as np
import pytest
import torch

from segcube.backends.torch_cpu import TorchBackend
from segcube.core import Clock
from segcube.inference.planes import finished_planes
from segcube.inference.sliding_window import Pass, slide
from segcube.inference.windows import WindowPlan, plan_windows
from segcube.inference.workspace import Workspace
from segcube.spec.submission import Window

CPU = TorchBackend("cpu", "fp32", "a test")


def say(batch_ncxyz: torch.Tensor) -> torch.Tensor:
    """A network that says something else of each voxel in each channel."""
    return torch.cat([batch_ncxyz, batch_ncxyz.roll(1, 2), batch_ncxyz.cumsum(3)], dim=1)


def image(shape: tuple[int, int, int]) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32))


def pass_of(plan: WindowPlan) -> Pass:
    return Pass(say, plan, ((), (1,)), np.array([0.5, 1, 2]))


@pytest.mark.parametrize(
    "space", [Workspace(CPU), Workspace(CPU, batch=3), Workspace(CPU, sum_on_host=True)], ids=str
)
@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.7])
@pytest.mark.parametrize("shape", [(21, 9, 11), (8, 8, 8), (5, 9, 7), (8, 20, 8)], ids=str)
def test_planes_are_those_of_the_whole_sum(shape, overlap, space):
    image_cxyz, plan = image(shape), plan_windows(shape, Window(size=(8, 8, 8), overlap=overlap))
    whole_kxyz = space.zeros(3, shape)
    slide(image_cxyz, [pass_of(plan)], whole_kxyz, space, Clock())
    next_plane = 0
    for planes, values_kxyz in finished_planes(image_cxyz, pass_of(plan), 3, space, Clock()):
        assert planes.start == next_plane
        np.testing.assert_allclose(values_kxyz, whole_kxyz[:, planes], atol=1e-6)
        next_plane = planes.stop
    assert next_plane == shape[0]


def test_planes_that_no_window_meets_are_left_out_and_the_next_begin_anew():
    shape = (40, 8, 8)
    plan = plan_windows(shape, Window(size=(8, 8, 8)))
    gate_xyz = np.zeros(shape, dtype=bool)
    gate_xyz[10:11] = gate_xyz[30:31] = True
    kept = plan.meeting(gate_xyz)
    space = Workspace(CPU)
    whole_kxyz = space.zeros(3, shape)
    slide(image(shape), [pass_of(kept)], whole_kxyz, space, Clock())
    met = np.zeros(40, dtype=bool)
    for planes, values_kxyz in finished_planes(image(shape), pass_of(kept), 3, space, Clock()):
        np.testing.assert_allclose(values_kxyz, whole_kxyz[:, planes], atol=1e-6)
        met[planes] = True
    assert met[[10, 30]].all()
    assert (whole_kxyz[:, ~met] == 0).all()
    assert not met[[0, 20, 39]].any()


def test_no_more_planes_than_a_window_has_stand_at_once():
    class Told(Workspace):
        def zeros(self, channels, shape):
            asked.append((channels, shape))
            return super().zeros(channels, shape)

    asked: list[tuple[int, tuple[int, ...]]] = []
    plan = plan_windows((40, 9, 8), Window(size=(8, 8, 8)))
    list(finished_planes(image((40, 9, 8)), pass_of(plan), 3, Told(CPU), Clock()))
    assert asked == [(3, (8, 9, 8))]


def test_no_windows_leave_no_planes():
    plan = plan_windows((9, 8, 8), Window(size=(8, 8, 8))).meeting(np.zeros((9, 8, 8), dtype=bool))
    assert list(finished_planes(image((9, 8, 8)), pass_of(plan), 3, Workspace(CPU), Clock())) == []
