from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference

from segcube.backends import AccumulatorView
from segcube.backends.openvino.backend import OpenVINOBackend
from segcube.backends.openvino.graphs import Compiled
from segcube.backends.torch_cpu import TorchBackend, TorchNetwork
from segcube.core import FORWARD, Clock
from segcube.inference.ensemble import mirror_combinations
from segcube.inference.sliding_window import MirrorPass, slide, slide_by_planes
from segcube.inference.windows import WindowPlan, plan_windows
from segcube.inference.workspace import Workspace
from segcube.spec.submission import Window

CPU = TorchBackend("cpu", "fp32", "a test")


def network(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Conv3d(2, 4, 3, padding=1), torch.nn.GELU(), torch.nn.Conv3d(4, 3, 1)
    ).eval()


def image(shape: tuple[int, int, int], seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2, *shape)).astype(np.float32)


def blended(image_cxyz: np.ndarray, passes: list[MirrorPass], space: Workspace):
    sum_kxyz = space.zeros(3, image_cxyz.shape[1:])
    slide(torch.from_numpy(image_cxyz), passes, sum_kxyz, space, Clock())
    return sum_kxyz


def one(module: torch.nn.Module, plan, mirror=(), weight=1.0) -> MirrorPass:
    return MirrorPass(TorchNetwork(module, "cpu", torch.float32), plan, (mirror,), np.full(3, weight))


@pytest.mark.parametrize(
    ("shape", "overlap", "blend"),
    [
        ((13, 11, 17), 0.0, "gaussian"),
        ((13, 11, 17), 0.5, "constant"),
        ((8, 8, 8), 0.5, "gaussian"),
        ((5, 9, 7), 0.25, "gaussian"),
    ],
)
def test_equals_monai_sliding_window_inference(shape: tuple[int, int, int], overlap: float, blend: str):
    module, image_cxyz = network(), image(shape)
    plan = plan_windows(shape, Window(size=(8, 8, 8), overlap=overlap, plan="monai", blend=blend))
    ours = blended(image_cxyz, [one(module, plan)], Workspace(CPU))
    with torch.inference_mode():
        theirs = sliding_window_inference(
            torch.from_numpy(image_cxyz)[None], (8, 8, 8), 1, module, overlap=overlap, mode=blend
        )[0]
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-5)


def test_mirrors_of_a_monai_plan_are_those_of_the_whole_volume():
    module, image_cxyz = network(), image((13, 6, 10))
    plan = plan_windows((13, 6, 10), Window(size=(8, 8, 8), overlap=0.25, plan="monai"))
    passes = [one(module, plan.mirrored(m), m, 1 / 8) for m in mirror_combinations((0, 1, 2))]
    ours = blended(image_cxyz, passes, Workspace(CPU))
    expected = torch.zeros(3, 13, 6, 10)
    with torch.inference_mode():
        for m in mirror_combinations((0, 1, 2)):
            axes = [axis + 2 for axis in m]
            seen = torch.flip(torch.from_numpy(image_cxyz)[None], axes)
            logits = sliding_window_inference(seen, (8, 8, 8), 1, module, overlap=0.25, mode="gaussian")
            expected += torch.flip(logits, axes)[0] / 8
    np.testing.assert_allclose(ours.numpy(), expected.numpy(), atol=1e-5)


def test_batches_and_sums_on_the_host_change_nothing():
    module, image_cxyz = network(), image((13, 11, 17))
    plan = plan_windows((13, 11, 17), Window(size=(8, 8, 8)))
    plain = blended(image_cxyz, [one(module, plan)], Workspace(CPU))
    batched = blended(image_cxyz, [one(module, plan)], Workspace(CPU, batch=3))
    on_host = blended(image_cxyz, [one(module, plan)], Workspace(CPU, sum_on_host=True))
    assert isinstance(on_host, np.ndarray)
    np.testing.assert_allclose(batched.numpy(), plain.numpy(), atol=1e-6)
    np.testing.assert_allclose(on_host, plain.numpy(), atol=1e-6)


def test_windows_behind_a_gate_give_the_same_values_inside_it():
    module, image_cxyz = network(), image((24, 8, 8))
    plan = plan_windows((24, 8, 8), Window(size=(8, 8, 8)))
    gate_xyz = np.zeros((24, 8, 8), dtype=bool)
    gate_xyz[3:6] = True
    whole = blended(image_cxyz, [one(module, plan)], Workspace(CPU)).numpy()
    kept = plan.meeting(gate_xyz)
    gated = blended(image_cxyz, [one(module, kept)], Workspace(CPU)).numpy()
    assert 0 < len(kept.starts) < len(plan.starts)
    np.testing.assert_array_equal(gated[:, gate_xyz], whole[:, gate_xyz])
    assert (gated[:, 20:] == 0).all()


@pytest.mark.parametrize("kind", ["labels", "regions"])
def test_windows_may_be_averaged_as_probabilities(kind):
    module, image_cxyz = network(), image((20, 16, 12))
    plan = plan_windows((20, 16, 12), Window(size=(16, 16, 12)))
    passes = [replace(one(module, plan, weight=0.5), views=((), (0,)), activation=kind)]
    total, importance = torch.zeros(3, 20, 16, 12), torch.zeros(20, 16, 12)
    for start in (0, 4):
        part = slice(start, start + 16)
        window = torch.from_numpy(image_cxyz[None, :, part])
        with torch.inference_mode():
            seen = torch.stack([module(window)[0], module(window.flip(2))[0].flip(1)])
        found = seen.softmax(1) if kind == "labels" else seen.sigmoid()
        total[:, part] += found.mean(0) * torch.from_numpy(plan.importance_xyz)
        importance[part] += torch.from_numpy(plan.importance_xyz)
    torch.testing.assert_close(
        blended(image_cxyz, passes, Workspace(CPU)), total / importance, atol=1e-5, rtol=0
    )


class OneOutput:
    """A network that gives the same memory every time, as compiled ones do."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.network, self.output = TorchNetwork(module, "cpu", torch.float32), None

    def __call__(self, batch_ncxyz: torch.Tensor) -> torch.Tensor:
        logits = self.network(batch_ncxyz)
        self.output = torch.zeros(logits.shape) if self.output is None else self.output
        return self.output.copy_(logits)


@pytest.mark.parametrize("batch", [1, 2])
def test_mirrors_of_each_window_are_those_of_passes_of_their_own(batch: int):
    module, image_cxyz = network(), image((12, 9, 10))
    plan = plan_windows((12, 9, 10), Window(size=(8, 8, 8)))
    assert len(plan.starts) % batch == 0
    chosen = tuple(mirror_combinations((0, 2)))
    together = MirrorPass(OneOutput(module), plan, chosen, np.array([0.25, 0.5, 1.0]))
    apart = [replace(together, views=(view,)) for view in chosen]
    space = Workspace(CPU, batch=batch)
    expected = blended(image_cxyz, apart, space)
    torch.testing.assert_close(blended(image_cxyz, [together], space), expected, atol=1e-5, rtol=0)


SIZE = (8, 6, 10)
CHANNEL_WEIGHTS = np.array([0.25, 1, -2])


class Network:
    """A network with a different output for each voxel and channel."""

    calls = 0

    def __call__(self, batch_ncxyz: np.ndarray) -> np.ndarray:
        self.calls += 1
        channels = batch_ncxyz, np.roll(batch_ncxyz, 1, 2), np.cumsum(batch_ncxyz, axis=3)
        return np.concatenate(channels, axis=1)


class AccumulatingNetwork(Network):
    """The same, but it adds its output to the accumulator itself."""

    adds = 0

    def add(self, window_ncxyz: np.ndarray, view: AccumulatorView) -> None:
        self.adds += 1
        output_kxyz = Network.__call__(self, window_ncxyz)[0]
        view.sum_kxyz[...] += output_kxyz * view.weight_xyz * view.channel_weights[:, None, None, None]


@pytest.fixture
def space(tmp_path) -> Workspace:
    return Workspace(OpenVINOBackend(Compiled(tmp_path, {}), "fp32", "a test"))


def one_channel(shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((1, *shape), dtype=np.float32)


def three_views(network: Network, shape: tuple[int, int, int]) -> MirrorPass:
    plan = plan_windows(shape, Window(size=SIZE))
    return MirrorPass(network, plan, ((), (0,), (1, 2)), CHANNEL_WEIGHTS)


def accumulated(
    shape: tuple[int, int, int], mirror_pass: MirrorPass, space: Workspace, clock: Clock
) -> np.ndarray:
    sum_kxyz = space.zeros(3, shape)
    slide(one_channel(shape), [mirror_pass], sum_kxyz, space, clock)
    return sum_kxyz


@pytest.mark.parametrize("shape", [(19, 6, 23), SIZE], ids=str)
def test_a_network_that_adds_to_the_accumulator_gives_the_same_sum(space, shape):
    adding, clock = AccumulatingNetwork(), Clock()
    expected = accumulated(shape, three_views(Network(), shape), space, clock)
    found = accumulated(shape, three_views(adding, shape), space, clock)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert adding.adds == 3 * len(three_views(adding, shape).plan.starts)
    assert FORWARD in clock.seconds
    for planes, values_kxyz in slide_by_planes(
        one_channel(shape), three_views(adding, shape), 3, space, clock
    ):
        np.testing.assert_allclose(values_kxyz, expected[:, planes], atol=1e-5)


def test_windows_beyond_the_grid_and_probabilities_are_added_by_the_sliding_window(space):
    for shape, kind in (((19, 5, 23), None), (SIZE, "regions")):
        adding = AccumulatingNetwork()
        expected = accumulated(shape, replace(three_views(Network(), shape), activation=kind), space, Clock())
        found = accumulated(shape, replace(three_views(adding, shape), activation=kind), space, Clock())
        np.testing.assert_array_equal(found, expected)
        assert adding.adds == 0


def network_of_three(batch_ncxyz: torch.Tensor) -> torch.Tensor:
    """A network with a different output for each voxel and channel."""
    return torch.cat([batch_ncxyz, batch_ncxyz.roll(1, 2), batch_ncxyz.cumsum(3)], dim=1)


def noise(shape: tuple[int, int, int]) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32))


def pass_of(plan: WindowPlan) -> MirrorPass:
    return MirrorPass(network_of_three, plan, ((), (1,)), np.array([0.5, 1, 2]))


@pytest.mark.parametrize(
    ("shape", "overlap", "space"),
    [
        ((21, 9, 11), 0.0, Workspace(CPU)),
        ((21, 9, 11), 0.7, Workspace(CPU)),
        ((21, 9, 11), 0.5, Workspace(CPU, batch=3)),
        ((21, 9, 11), 0.5, Workspace(CPU, sum_on_host=True)),
        ((8, 8, 8), 0.5, Workspace(CPU)),
        ((5, 9, 7), 0.5, Workspace(CPU)),
        ((8, 20, 8), 0.5, Workspace(CPU)),
    ],
    ids=str,
)
def test_planes_are_those_of_the_whole_sum(shape, overlap, space):
    image_cxyz, plan = noise(shape), plan_windows(shape, Window(size=(8, 8, 8), overlap=overlap))
    whole_kxyz = space.zeros(3, shape)
    slide(image_cxyz, [pass_of(plan)], whole_kxyz, space, Clock())
    next_plane = 0
    for planes, values_kxyz in slide_by_planes(image_cxyz, pass_of(plan), 3, space, Clock()):
        assert planes.start == next_plane
        np.testing.assert_allclose(values_kxyz, whole_kxyz[:, planes], atol=1e-6)
        next_plane = planes.stop
    assert next_plane == shape[0]


def test_planes_that_no_window_meets_are_left_out():
    shape = (40, 8, 8)
    plan = plan_windows(shape, Window(size=(8, 8, 8)))
    gate_xyz = np.zeros(shape, dtype=bool)
    gate_xyz[10:11] = gate_xyz[30:31] = True
    kept = plan.meeting(gate_xyz)
    space = Workspace(CPU)
    whole_kxyz = space.zeros(3, shape)
    slide(noise(shape), [pass_of(kept)], whole_kxyz, space, Clock())
    met = np.zeros(40, dtype=bool)
    for planes, values_kxyz in slide_by_planes(noise(shape), pass_of(kept), 3, space, Clock()):
        np.testing.assert_allclose(values_kxyz, whole_kxyz[:, planes], atol=1e-6)
        met[planes] = True
    assert met[[10, 30]].all()
    assert (whole_kxyz[:, ~met] == 0).all()
    assert not met[[0, 20, 39]].any()


def test_the_accumulator_holds_no_more_planes_than_a_window():
    class Recording(Workspace):
        def zeros(self, channels, shape):
            requested.append((channels, shape))
            return super().zeros(channels, shape)

    requested: list[tuple[int, tuple[int, ...]]] = []
    plan = plan_windows((40, 9, 8), Window(size=(8, 8, 8)))
    list(slide_by_planes(noise((40, 9, 8)), pass_of(plan), 3, Recording(CPU), Clock()))
    assert requested == [(3, (8, 9, 8))]


def test_no_windows_leave_no_planes():
    plan = plan_windows((9, 8, 8), Window(size=(8, 8, 8))).meeting(np.zeros((9, 8, 8), dtype=bool))
    assert list(slide_by_planes(noise((9, 8, 8)), pass_of(plan), 3, Workspace(CPU), Clock())) == []
