from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference

from segcube.backends.torch_cpu import TorchBackend, TorchNetwork
from segcube.core import Clock
from segcube.inference.ensemble import mirrors
from segcube.inference.sliding_window import Pass, slide
from segcube.inference.windows import plan_windows
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


def blended(image_cxyz: np.ndarray, passes: list[Pass], space: Workspace):
    sum_kxyz = space.zeros(3, image_cxyz.shape[1:])
    slide(torch.from_numpy(image_cxyz), passes, sum_kxyz, space, Clock())
    return sum_kxyz


def one(module: torch.nn.Module, plan, mirror=(), weight=1.0) -> Pass:
    return Pass(TorchNetwork(module, "cpu", torch.float32), plan, (mirror,), np.full(3, weight))


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("blend", ["gaussian", "constant"])
@pytest.mark.parametrize("shape", [(13, 11, 17), (8, 8, 8), (5, 9, 7)])
def test_equals_monai_sliding_window_inference(overlap: float, blend: str, shape: tuple[int, int, int]):
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
    passes = [one(module, plan.mirrored(m), m, 1 / 8) for m in mirrors((0, 1, 2))]
    ours = blended(image_cxyz, passes, Workspace(CPU))
    expected = torch.zeros(3, 13, 6, 10)
    with torch.inference_mode():
        for m in mirrors((0, 1, 2)):
            axes = [axis + 2 for axis in m]
            seen = torch.flip(torch.from_numpy(image_cxyz)[None], axes)
            said = sliding_window_inference(seen, (8, 8, 8), 1, module, overlap=0.25, mode="gaussian")
            expected += torch.flip(said, axes)[0] / 8
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
    looks = [replace(one(module, plan, weight=0.5), mirrors=((), (0,)), kind=kind)]
    total, cover = torch.zeros(3, 20, 16, 12), torch.zeros(20, 16, 12)
    for start in (0, 4):
        part = slice(start, start + 16)
        window = torch.from_numpy(image_cxyz[None, :, part])
        with torch.inference_mode():
            seen = torch.stack([module(window)[0], module(window.flip(2))[0].flip(1)])
        found = seen.softmax(1) if kind == "labels" else seen.sigmoid()
        total[:, part] += found.mean(0) * torch.from_numpy(plan.weight_xyz)
        cover[part] += torch.from_numpy(plan.weight_xyz)
    torch.testing.assert_close(blended(image_cxyz, looks, Workspace(CPU)), total / cover, atol=1e-5, rtol=0)


class OneOutput:
    """A network that gives the same memory every time, as compiled ones do."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.network, self.said = TorchNetwork(module, "cpu", torch.float32), None

    def __call__(self, batch_ncxyz: torch.Tensor) -> torch.Tensor:
        said = self.network(batch_ncxyz)
        self.said = torch.zeros(said.shape) if self.said is None else self.said
        return self.said.copy_(said)


@pytest.mark.parametrize("batch", [1, 2])
def test_mirrors_of_each_window_are_those_of_passes_of_their_own(batch: int):
    module, image_cxyz = network(), image((12, 9, 10))
    plan = plan_windows((12, 9, 10), Window(size=(8, 8, 8)))
    assert len(plan.starts) % batch == 0
    chosen = tuple(mirrors((0, 2)))
    together = Pass(OneOutput(module), plan, chosen, np.array([0.25, 0.5, 1.0]))
    apart = [replace(together, mirrors=(mirror,)) for mirror in chosen]
    space = Workspace(CPU, batch=batch)
    expected = blended(image_cxyz, apart, space)
    torch.testing.assert_close(blended(image_cxyz, [together], space), expected, atol=1e-5, rtol=0)
