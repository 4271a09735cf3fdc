from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference

from segcube.backends.openvino import read_compiled
from segcube.backends.openvino.backend import OpenVINOBackend
from segcube.backends.torch_cpu import TorchBackend, TorchNetwork
from segcube.core import Clock
from segcube.inference.activation import channel_matrix
from segcube.inference.ensemble import (
    BranchTask,
    WeightedMember,
    load_members,
    member_weights,
    mirror_axes,
    mirror_combinations,
    sum_members,
)
from segcube.inference.windows import plan_windows
from segcube.inference.workspace import Workspace
from segcube.spec.challenges import load_challenge
from segcube.spec.submission import Stage, branch_files, load_for_challenge

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


def weighted(stage: Stage, modules: list[torch.nn.Module]) -> list[WeightedMember]:
    networks = [TorchNetwork(m, "cpu", torch.float32) for m in modules]
    weights = [member_weights(member, stage) for member in stage.branches[0].members]
    return [WeightedMember(*pair) for pair in zip(networks, weights, strict=True)]


def run(stage: Stage, modules: list[torch.nn.Module], needs="probabilities"):
    branch = stage.branches[0]
    matrix = channel_matrix(stage, branch, load_challenge("brats2023-gli"))
    task = BranchTask(stage, branch, None, plan_windows(SHAPE, branch.window), matrix, needs=needs)
    sum_rxyz, each = sum_members(image(), task, weighted(stage, modules), SPACE, Clock())
    return (sum_rxyz.numpy(), each) if needs == "members" else sum_rxyz.numpy()


def blended(m: torch.nn.Module, axes: tuple[int, ...] = ()) -> np.ndarray:
    """The mean of MONAI's blended logits over all mirrors of some axes."""
    views = []
    for mirror in mirror_combinations(axes):
        dims = [axis + 2 for axis in mirror]
        with torch.inference_mode():
            logits = sliding_window_inference(
                torch.flip(image()[None], dims), (8, 8, 8), 1, m, overlap=0.5, mode="gaussian"
            )
        views.append(torch.flip(logits, dims)[0].numpy())
    return np.mean(views, axis=0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(axis=0))
    return powers / powers.sum(axis=0)


def test_probabilities_are_those_of_stack_and_mean():
    modules = [module(3, seed) for seed in range(3)]
    ours = run(stage_of("regions", REGIONS, [1.0] * 3, "probabilities"), modules) / 3
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


def test_the_output_of_each_member_leaves_the_sum_as_it_is():
    stage, modules = stage_of("regions", REGIONS, [1.0, 3.0], "logits"), [module(3, 0), module(3, 1)]
    sum_rxyz, each = run(stage, modules, "members")
    np.testing.assert_allclose(sum_rxyz, run(stage, modules), atol=1e-5)
    np.testing.assert_allclose(each[1], blended(modules[1]), atol=1e-6)


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


OPENVINO, TORCH = "openvino", "torch"


@pytest.mark.parametrize(
    ("backend", "merge", "separately", "count"),
    [
        (OPENVINO, "logits", False, 1),
        (OPENVINO, "logits", True, 2),
        (OPENVINO, "probabilities", False, 2),
        (TORCH, "logits", False, 2),
    ],
)
def test_members_are_joined_where_their_logits_are_summed(
    tumour_submission, backend, merge, separately, count
):
    submission = load_for_challenge(tumour_submission).submission
    stage = submission.stages[0].model_copy(update={"merge": merge})
    branch = stage.branches[0]
    files = branch_files(stage, branch, submission, tumour_submission)
    backends = {
        OPENVINO: OpenVINOBackend(read_compiled(tumour_submission), "fp32", "a test"),
        TORCH: TorchBackend("cpu", "fp32", "a test"),
    }
    members = load_members(stage, branch, files, backends[backend], separately)
    assert len(members) == count
    member = files[0]
    window_ncxyz = np.random.default_rng(0).standard_normal((1, member.channels, *member.window))
    backend_used, sums = backends[backend], []
    for weighted_member in members:
        logits = weighted_member.network(backend_used.upload(window_ncxyz.astype(np.float32)))
        sums.append(backend_used.download(logits)[0] * weighted_member.weight_r[:, None, None, None])
    expected = sum(
        backends[TORCH].load(file)(backends[TORCH].upload(window_ncxyz.astype(np.float32))).numpy()[0]
        * np.array([own.weight_for(name) for name in stage.names])[:, None, None, None]
        for file, own in zip(files, branch.members, strict=True)
    )
    np.testing.assert_allclose(sum(sums), expected, atol=1e-4)


def test_no_axes_give_the_plain_view_alone():
    assert mirror_combinations(()) == [()]


def test_all_combinations_once():
    assert mirror_combinations((2, 0)) == [(), (0,), (2,), (0, 2)]
    assert len(mirror_combinations((0, 1, 2))) == 8


def test_axes_follow_the_order_of_the_branch():
    assert mirror_axes(("x", "z"), "xyz") == (0, 2)
    assert mirror_axes(("x", "y"), "zyx") == (1, 2)
