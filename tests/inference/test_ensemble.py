from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference

from segcube.backends.torch_cpu import TorchBackend, TorchNetwork
from segcube.core import Clock
from segcube.inference.activation import channel_matrix
from segcube.inference.ensemble import Ensemble, WeightedMember, member_weights, mirrors
from segcube.inference.windows import plan_windows
from segcube.inference.workspace import Workspace
from segcube.spec.challenges import load_challenge
from segcube.spec.submission import Stage

SHAPE = (13, 10, 9)
SHA = "0" * 64
REGIONS = ("TC", "WT", "ET")
SPACE = Workspace(TorchBackend("cpu", "fp32", "a test"))


def module(outputs: int, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Conv3d(2, outputs, 3, padding=1).eval()


def image() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32))


def stage_of(kind: str, names: tuple[str, ...], weights, merge: str, **more) -> Stage:
    members = [{"file": f"{i}", "sha256": SHA, "weight": weight} for i, weight in enumerate(weights)]
    branch = {
        "channels": ["t1c", "t1n"],
        "outputs": {"kind": kind, "names": names},
        "window": {"size": [8, 8, 8], "plan": more.pop("plan", "monai")},
        "flips": more.pop("flips", []),
        "members": members,
    }
    return Stage.model_validate({"name": "tumour", "merge": merge, "branches": [branch], **more})


def voices(stage: Stage, modules: list[torch.nn.Module]) -> list[WeightedMember]:
    networks = [TorchNetwork(m, "cpu", torch.float32) for m in modules]
    weights = [member_weights(member, stage) for member in stage.branches[0].members]
    return [WeightedMember(*pair) for pair in zip(networks, weights, strict=True)]


def run(stage: Stage, modules: list[torch.nn.Module]) -> np.ndarray:
    branch = stage.branches[0]
    matrix = channel_matrix(stage, branch, load_challenge("brats2023-gli"))
    plan = plan_windows(SHAPE, branch.window)
    ensemble = Ensemble(stage, branch, voices(stage, modules), matrix, True, Clock())
    return ensemble.run(image(), plan, SPACE).numpy()


def blended(m: torch.nn.Module, axes: tuple[int, ...] = ()) -> np.ndarray:
    """The mean of MONAI's blended logits over all mirrors of some axes."""
    looks = []
    for mirror in mirrors(axes):
        dims = [axis + 2 for axis in mirror]
        with torch.inference_mode():
            said = sliding_window_inference(
                torch.flip(image()[None], dims), (8, 8, 8), 1, m, overlap=0.5, mode="gaussian"
            )
        looks.append(torch.flip(said, dims)[0].numpy())
    return np.mean(looks, axis=0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(axis=0))
    return powers / powers.sum(axis=0)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_probabilities_are_those_of_stack_and_mean(count: int):
    modules = [module(3, seed) for seed in range(count)]
    ours = run(stage_of("regions", REGIONS, [1.0] * count, "probabilities"), modules) / count
    stacked = np.mean(np.stack([sigmoid(blended(m)) for m in modules]), axis=0)
    np.testing.assert_allclose(ours, stacked, atol=1e-6)


def test_logits_are_those_of_stack_and_mean():
    modules = [module(3, seed) for seed in range(3)]
    ours = run(stage_of("regions", REGIONS, [1.0] * 3, "logits"), modules) / 3
    np.testing.assert_allclose(ours, np.mean([blended(m) for m in modules], axis=0), atol=1e-6)


def test_each_channel_has_its_own_weights():
    weights = [{"TC": 1, "WT": 0, "ET": 0.5}, {"TC": 1, "WT": 2, "ET": 0}]
    modules = [module(3, 0), module(3, 1)]
    ours = run(stage_of("regions", REGIONS, weights, "probabilities"), modules)
    first, second = (sigmoid(blended(m)) for m in modules)
    expected = np.stack([first[0] + second[0], 2 * second[1], 0.5 * first[2]])
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_mirrors_are_averaged_in_logits_before_the_sigmoid():
    m = module(3, 4)
    ours = run(stage_of("regions", REGIONS, [1.0], "probabilities", flips=["x", "y", "z"]), [m])
    np.testing.assert_allclose(ours, sigmoid(blended(m, (0, 1, 2))), atol=1e-6)


def test_labels_sum_into_regions():
    m = module(4, 5)
    names = ("background", "NCR", "ED", "ET")
    ours = run(stage_of("labels", names, [1.0], "probabilities", regions=["WT", "TC", "ET"]), [m])
    _, ncr, ed, et = softmax(blended(m))
    np.testing.assert_allclose(ours, np.stack([ncr + ed + et, ncr + et, et]), atol=1e-6)


def test_a_member_told_alone_changes_nothing():
    stage = stage_of("regions", REGIONS, [1.0, 3.0], "logits")
    branch, modules = stage.branches[0], [module(3, 0), module(3, 1)]
    alone = {}
    plan = plan_windows(SHAPE, branch.window)
    keep = Ensemble(
        stage,
        branch,
        voices(stage, modules),
        None,
        True,
        Clock(),
        lambda member, values: alone.update({member.file: values}),
    )
    whole = keep.run(image(), plan, SPACE).numpy()
    np.testing.assert_allclose(whole, run(stage, modules), atol=1e-5)
    np.testing.assert_allclose(alone["1"].numpy(), blended(modules[1]), atol=1e-6)


@pytest.mark.parametrize("kind", ["labels", "regions"])
def test_windows_that_average_probabilities_are_not_activated_again(kind):
    names = ("background", "NCR", "ED") if kind == "labels" else REGIONS
    stage = stage_of(kind, names, [1.0, 3.0], "probabilities")
    modules = [module(3, seed) for seed in (0, 1)]
    found = {}
    for average in ("logits", "probabilities"):
        window = stage.branches[0].window.model_copy(update={"size": SHAPE, "average": average})
        branch = stage.branches[0].model_copy(update={"window": window})
        found[average] = run(stage.model_copy(update={"branches": (branch,)}), modules)
    np.testing.assert_allclose(found["probabilities"], found["logits"], atol=1e-6)
