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
from segcube.backends.openvino.lowering import lower
from segcube.backends.openvino.mapped import MappedWeights
from segcube.backends.openvino.native_network import NativeMember, NativeNetwork
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


def test_folds_of_one_plan_take_turns_in_the_same_working_memory(folds):
    backend, x = backend_of(folds), batch()
    for member in [*folds, *folds]:
        np.testing.assert_allclose(backend.load(member)(x), by_torch(member, x), atol=1e-4)
    networks = [backend.load(member) for member in folds]
    assert all(isinstance(network, NativeNetwork) for network in networks)
    (floats,) = {network.members[0].program.floats for network in networks}
    assert backend.native_memory(floats) is backend.native_memory(floats)


@pytest.mark.parametrize("windows", [1, 2])
def test_a_sum_of_folds_is_their_weighted_sum(folds, windows):
    joint = backend_of(folds).join(folds, WEIGHT_MK)
    assert isinstance(joint, NativeNetwork)
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
def test_members_of_other_plans_are_summed_as_well(tmp_path, compiled, save_unet, save_member, other):
    save = save_wider if other == "wider" else save_member
    members = compiled([save_unet(tmp_path, 4, 3, 0), save(tmp_path, 4, 3, 1)])
    joint = backend_of(members).join(members, WEIGHT_MK[:2])
    assert isinstance(joint, NativeNetwork)
    np.testing.assert_allclose(joint(batch()), summed(members, batch()), atol=1e-4)


def save_overlapping(folder: Path, channels: int, outputs: int) -> dict[str, str]:
    """A U-Net whose transposed convolutions overlap, for which there is no native kernel."""
    arguments = {"in_channels": channels, "out_channels": outputs, "features": [4, 6], "strides": [2]}
    network, file = build_network("UNet", arguments), "overlapping.safetensors"
    return {"file": file, "sha256": save_network(network, "UNet", arguments, folder / file)}


def test_a_native_member_is_not_joined_with_one_of_openvino(tmp_path, compiled, save_unet):
    members = compiled([save_unet(tmp_path, 4, 3, 0), save_overlapping(tmp_path, 4, 3)])
    backend = backend_of(members)
    assert backend.join(members, WEIGHT_MK[:2]) is None
    for member in [*members, *members]:
        np.testing.assert_allclose(backend.load(member)(batch()), by_torch(member, batch()), atol=1e-4)


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_a_network_that_ends_in_any_convolution_adds_to_an_accumulator(kernel_size):
    """Between its convolutions lies what OpenVINO computes."""
    image = opset13.parameter((1, 4, 6, 16, 16), np.float32)
    ones, around = [1] * 3, [kernel_size // 2] * 3
    rng = np.random.default_rng(0)
    first, last = (rng.standard_normal((4, 4, *[size] * 3), dtype=np.float32) for size in (3, kernel_size))
    between = opset13.tanh(opset13.convolution(image, first, ones, ones, ones, ones))
    end = opset13.convolution(between, last, ones, around, around, ones)
    model, x = ov.Model([opset13.result(end)], [image], "example"), rng.random((1, 4, 6, 16, 16), np.float32)
    expected_nkxyz = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([x])[0]
    program = lower(model, find_kernels(), lambda part: ov.Core().compile_model(part, "CPU"))
    member = NativeMember(program, MappedWeights(None, {}))
    network = NativeNetwork([member], np.full((1, 4), 2.0), lambda floats: np.empty(floats, np.float32))
    np.testing.assert_allclose(network(x), 2 * expected_nkxyz, atol=1e-3)
