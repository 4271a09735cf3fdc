from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from segcube.backends import AccumulatorView
from segcube.backends.openvino.backend import OpenVINOBackend
from segcube.backends.openvino.graphs import Compiled
from segcube.core import FORWARD, Clock
from segcube.inference.planes import finished_planes
from segcube.inference.sliding_window import Pass, slide
from segcube.inference.windows import plan_windows
from segcube.inference.workspace import Workspace
from segcube.spec.submission import Window

SIZE = (8, 6, 10)
SAY_K = np.array([0.25, 1, -2])


class Saying:
    """A network that says something else of each voxel in each channel."""

    calls = 0

    def __call__(self, batch_ncxyz: np.ndarray) -> np.ndarray:
        self.calls += 1
        channels = batch_ncxyz, np.roll(batch_ncxyz, 1, 2), np.cumsum(batch_ncxyz, axis=3)
        return np.concatenate(channels, axis=1)


class Adding(Saying):
    """The same, but it adds what it says itself."""

    adds = 0

    def add(self, window_ncxyz: np.ndarray, onto: AccumulatorView) -> None:
        self.adds += 1
        said_kxyz = Saying.__call__(self, window_ncxyz)[0]
        onto.sum_kxyz[...] += said_kxyz * onto.weight_xyz * onto.channel_weights[:, None, None, None]


@pytest.fixture
def space(tmp_path) -> Workspace:
    return Workspace(OpenVINOBackend(Compiled(tmp_path, {}), "fp32", "a test"))


def image(shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((1, *shape), dtype=np.float32)


def look(network: Saying, shape: tuple[int, int, int]) -> Pass:
    plan = plan_windows(shape, Window(size=SIZE))
    return Pass(network, plan, ((), (0,), (1, 2)), SAY_K)


def summed(shape: tuple[int, int, int], one: Pass, space: Workspace, clock: Clock) -> np.ndarray:
    sum_kxyz = space.zeros(3, shape)
    slide(image(shape), [one], sum_kxyz, space, clock)
    return sum_kxyz


@pytest.mark.parametrize("shape", [(19, 6, 23), SIZE], ids=str)
def test_a_network_that_adds_gives_the_sum_of_what_it_says(space, shape):
    adding, clock = Adding(), Clock()
    expected = summed(shape, look(Saying(), shape), space, clock)
    found = summed(shape, look(adding, shape), space, clock)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert adding.adds == 3 * len(look(adding, shape).plan.starts)
    assert FORWARD in clock.seconds
    for planes, values_kxyz in finished_planes(image(shape), look(adding, shape), 3, space, clock):
        np.testing.assert_allclose(values_kxyz, expected[:, planes], atol=1e-5)


def test_windows_beyond_the_grid_and_probabilities_are_added_for_it(space):
    for shape, kind in (((19, 5, 23), None), (SIZE, "regions")):
        adding = Adding()
        expected = summed(shape, replace(look(Saying(), shape), kind=kind), space, Clock())
        found = summed(shape, replace(look(adding, shape), kind=kind), space, Clock())
        np.testing.assert_array_equal(found, expected)
        assert adding.adds == 0
