from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
import torch
import yaml
from openvino import opset13

from segcube.backends import AccumulatingNetwork, AccumulatorView
from segcube.backends.native import find_kernels
from segcube.backends.openvino import compile_submission, read_compiled
from segcube.backends.openvino.backend import OpenVINOBackend
from segcube.backends.openvino.native_graph import run_natively
from segcube.backends.openvino.native_members import NativeMember, NativeSum, can_accumulate, kind_of
from segcube.backends.openvino.network import OpenVINONetwork
from segcube.networks import build_network, load_network, save_network
from segcube.spec.submission import MemberFile, load_for_challenge, member_files

WINDOW = (16, 16, 32)
WEIGHT_MK = np.array([[1.0, 2.0, 0.0], [0.5, 0.0, 1.0], [0.25, 1.0, 1.0]])

pytestmark = pytest.mark.skipif(
    isinstance(find_kernels(), str), reason="no kernels for this processor are installed"
)


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[[list[dict]], list[MemberFile]]:
    """Compile members of one branch: 4 channels to 3 regions."""

    def write(members: list[dict]) -> list[MemberFile]:
        branch = {
            "channels": ["t1c", "t1n", "t2f", "t2w"],
            "outputs": {"kind": "regions", "names": ["TC", "WT", "ET"]},
            "window": {"size": list(WINDOW)},
            "members": members,
        }
        stages = [{"name": "tumour", "merge": "logits", "branches": [branch]}]
        content = {"name": "folds", "challenge": "brats2023-gli", "stages": stages}
        (tmp_path / "submission.yaml").write_text(yaml.safe_dump(content))
        loaded = load_for_challenge(tmp_path)
        compile_submission(loaded, tmp_path, print)
        return list(member_files(loaded.submission, tmp_path))

    return write


@pytest.fixture(params=["a U-Net", "a MedNeXt"])
def folds(request, tmp_path, compiled, save_unet, save_member) -> list[MemberFile]:
    """Of one plan."""
    save = save_unet if request.param == "a U-Net" else save_member
    return compiled([save(tmp_path, 4, 3, seed) for seed in range(len(WEIGHT_MK))])


def backend_of(members: list[MemberFile]) -> OpenVINOBackend:
    return OpenVINOBackend(read_compiled(members[0].file.parent), "fp32", "a test")


def batch(windows: int = 1) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((windows, 4, *WINDOW), dtype=np.float32)


def by_torch(member: MemberFile, batch_ncxyz: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return load_network(member.file, member.sha256)(torch.from_numpy(batch_ncxyz)).numpy()


def summed(members: list[MemberFile], batch_ncxyz: np.ndarray) -> np.ndarray:
    alone_mnkxyz = np.stack([by_torch(member, batch_ncxyz) for member in members])
    return np.einsum("mnkxyz,mk->nkxyz", alone_mnkxyz, WEIGHT_MK[: len(members)])


def test_folds_of_one_plan_take_turns_in_one_program(folds):
    backend, x = backend_of(folds), batch()
    for member in [*folds, *folds]:
        np.testing.assert_allclose(backend.load(member)(x), by_torch(member, x), atol=1e-4)
    assert all(isinstance(backend.load(member), NativeMember) for member in folds)
    assert len(backend.programs) == 1


@pytest.mark.parametrize("windows", [1, 2])
def test_a_sum_of_folds_is_their_weighted_sum(folds, windows):
    joint = backend_of(folds).join(folds, WEIGHT_MK)
    assert isinstance(joint, NativeSum)
    np.testing.assert_allclose(joint(batch(windows)), summed(folds, batch(windows)), atol=1e-4)


@pytest.mark.parametrize("turned", [(), (0, 2)])
def test_members_and_their_sum_add_to_a_part_of_a_sum(folds, turned):
    backend, x, axes = backend_of(folds), batch(), tuple(axis + 1 for axis in turned)
    weight_xyz = np.random.default_rng(1).random(WINDOW, dtype=np.float32)
    logits = [by_torch(folds[0], x)[0], summed(folds, x)[0]]
    networks = [backend.load(folds[0]), backend.join(folds, WEIGHT_MK)]
    for network, logits_kxyz in zip(networks, logits, strict=True):
        assert isinstance(network, AccumulatingNetwork)
        sum_kxyz = np.ones((3, 20, *WINDOW[1:]), np.float32)
        network.add(x, AccumulatorView(sum_kxyz[:, 2:18], np.array([1, 2, 0.5]), weight_xyz).mirrored(turned))
        added = np.flip(logits_kxyz, axes) * weight_xyz * np.array([1, 2, 0.5])[:, None, None, None]
        np.testing.assert_allclose(sum_kxyz[:, 2:18], 1 + added, atol=1e-4)
        assert (sum_kxyz[:, :2] == 1).all()
        assert (sum_kxyz[:, 18:] == 1).all()


def test_a_sum_repeats_its_logits_after_other_networks_ran(folds):
    backend, x = backend_of(folds), batch()
    joint = backend.join(folds, WEIGHT_MK)
    before = joint(x).copy()
    backend.load(folds[1])(x)
    backend.release()
    assert np.array_equal(joint(x), before)


def save_wider(folder: Path, channels: int, outputs: int, seed: int) -> dict[str, str]:
    """A U-Net of another plan."""
    torch.manual_seed(seed)
    arguments = {
        "input_channels": channels,
        "num_classes": outputs,
        "n_stages": 2,
        "features_per_stage": [4, 6],
        "kernel_sizes": [[3, 3, 3]] * 2,
        "strides": [[1, 1, 1], [2, 2, 2]],
        "n_conv_per_stage": [1] * 2,
        "n_conv_per_stage_decoder": [1],
        "conv_bias": True,
        "norm_op": "torch.nn.InstanceNorm3d",
        "nonlin": "torch.nn.LeakyReLU",
    }
    network, file = build_network("PlainConvUNet", arguments), "wider.safetensors"
    return {"file": file, "sha256": save_network(network, "PlainConvUNet", arguments, folder / file)}


@pytest.mark.parametrize("other", ["wider", "a MedNeXt"])
def test_members_of_other_plans_are_summed_in_a_graph_of_all(
    tmp_path, compiled, save_unet, save_member, other
):
    save = save_wider if other == "wider" else save_member
    members = compiled([save_unet(tmp_path, 4, 3, 0), save(tmp_path, 4, 3, 1)])
    joint = backend_of(members).join(members, WEIGHT_MK[:2])
    assert isinstance(joint, OpenVINONetwork)
    np.testing.assert_allclose(joint(batch()), summed(members, batch()), atol=1e-4)


def test_members_give_their_own_logits_after_a_graph_of_all(tmp_path, compiled, save_unet):
    members = compiled([save_unet(tmp_path, 4, 3, 0), save_wider(tmp_path, 4, 3, 1)])
    backend = backend_of(members)
    backend.join(members, WEIGHT_MK[:2])(batch())
    for member in members:
        np.testing.assert_allclose(backend.load(member)(batch()), by_torch(member, batch()), atol=1e-4)


def read(kernel_size: int = 1, seed: int = 0, factor: float = 3) -> tuple[ov.Model, list]:
    """A convolution of each size, between them what stays with OpenVINO."""
    rng = np.random.default_rng(seed)
    image = opset13.parameter((1, 4, 6, 16, 16), np.float32)
    ones, last = [1] * 3, [kernel_size // 2] * 3
    kernels = [rng.standard_normal((4, 4, *[size] * 3), dtype=np.float32) for size in (3, kernel_size)]
    first = opset13.convolution(image, kernels[0], ones, ones, ones, ones)
    between = opset13.multiply(opset13.tanh(first), np.float32(factor))
    end = opset13.convolution(between, kernels[1], ones, last, last, ones)
    model = ov.Model([opset13.result(end)], [image], "made")
    return model, run_natively(model, find_kernels())


def test_other_kernels_are_of_the_same_kind():
    assert kind_of(*read(seed=0)) == kind_of(*read(seed=1))


@pytest.mark.parametrize("other", [{"factor": 2}, {"kernel_size": 3}])
def test_other_constants_or_sizes_are_of_another_kind(other):
    assert kind_of(*read()) != kind_of(*read(**other))


def test_only_a_last_convolution_of_channels_alone_can_accumulate():
    assert can_accumulate(*read())
    assert not can_accumulate(*read(kernel_size=3))
