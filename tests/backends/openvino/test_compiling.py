from __future__ import annotations

import numpy as np
import openvino as ov
import pytest
import torch
import yaml

from segcube.backends.openvino import INDEX, compile_submission, read_compiled
from segcube.backends.openvino.backend import OpenVINOBackend
from segcube.backends.openvino.compiling import to_graph
from segcube.backends.openvino.graphs import Index, write_graph, write_index
from segcube.backends.openvino.mapped import map_weights
from segcube.core import EnvironmentFault
from segcube.networks import build_network, load_network, save_network, save_weights
from segcube.spec.submission import MemberFile, load_for_challenge


def test_every_member_has_a_graph_beside_its_weights(tumour_submission, members):
    compiled = read_compiled(tumour_submission)
    assert all(member in compiled for member in members(tumour_submission))


def test_a_graph_holds_no_weights(member):
    # A file of the weights again would be many times the constants that shapes need
    assert len(read_compiled(member.file.parent).read(member).constants) < member.file.stat().st_size / 20


def test_tensors_of_equal_bytes_and_another_kind_are_no_constants_of_it(member):
    network = load_network(member.file, member.sha256)
    tensors = dict(map_weights(member.file, member.sha256).tensors)
    plain = to_graph(network, member.channels, member.window, tensors)
    # Shapes and axes stand in graphs as int64
    disguised = {f"as {k}": np.array([n], np.int64).view(np.float32) for k, n in enumerate(range(-3, 33))}
    assert to_graph(network, member.channels, member.window, tensors | disguised).constants == plain.constants


@pytest.mark.parametrize("groups", [2, 4])
def test_only_group_norms_of_several_channels_a_group_stay(groups):
    network = torch.nn.Sequential(torch.nn.Conv3d(1, 4, 1), torch.nn.GroupNorm(groups, 4, eps=0.1))
    with torch.no_grad():
        network[1].weight[:], network[1].bias[:] = torch.arange(4.0), torch.arange(4.0) - 1
    graph = to_graph(network, 1, (6, 5, 4), {})
    assert (b'"GroupNormalization"' in graph.xml) == (groups == 2)
    window_ncxyz = torch.rand(1, 1, 6, 5, 4)
    model = ov.Core().read_model(graph.xml, ov.Tensor(np.frombuffer(graph.constants, np.uint8)))
    found = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(
        [window_ncxyz.numpy()]
    )[0]
    np.testing.assert_allclose(found, network(window_ncxyz).detach().numpy(), atol=1e-5)


def test_compiling_again_gives_the_same_files(tumour_submission, tmp_path):
    compile_submission(load_for_challenge(tumour_submission), tmp_path / "again", print)
    for file in (tmp_path / "again").iterdir():
        assert file.read_bytes() == (tumour_submission / file.name).read_bytes()


def test_weights_that_do_not_fit_their_branch_are_refused(tumour_submission):
    file = tumour_submission / "submission.yaml"
    content = yaml.safe_load(file.read_text())
    content["stages"][0]["branches"][0]["window"]["size"] = [16, 16, 20]
    file.write_text(yaml.safe_dump(content))
    before = (tumour_submission / INDEX).read_bytes()
    with pytest.raises(EnvironmentFault, match="cannot take windows"):
        compile_submission(load_for_challenge(tumour_submission), tumour_submission, print)
    assert (tumour_submission / INDEX).read_bytes() == before


UNET = {
    "n_stages": 2,
    "features_per_stage": [2, 4],
    "kernel_sizes": [[3, 3, 3]] * 2,
    "strides": [[1, 1, 1], [2, 2, 2]],
    "n_conv_per_stage_decoder": [1],
    "conv_bias": True,
    "norm_op": "torch.nn.InstanceNorm3d",
    "norm_op_kwargs": {"affine": True},
    "nonlin": "torch.nn.LeakyReLU",
}
"""What nnU-Net's networks share."""
SIZES = {"in_channels": 2, "out_channels": 3}
NETWORKS = {
    "MedNeXtV1": SIZES | {"n_channels": 2, "exp_r": [2] * 9, "block_counts": [1] * 9, "grn": True},
    "PlainConvUNet": UNET | {"input_channels": 2, "num_classes": 3, "n_conv_per_stage": [1] * 2},
    "ResidualEncoderUNet": UNET | {"input_channels": 2, "num_classes": 3, "n_blocks_per_stage": [1] * 2},
    "SegResNet": SIZES | {"spatial_dims": 3, "init_filters": 8, "blocks_down": [1, 1], "blocks_up": [1]},
    "UNet": SIZES | {"spatial_dims": 3, "features": [2, 4], "strides": [2]},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_every_architecture_convert(name, tmp_path):
    torch.manual_seed(0)
    network = build_network(name, NETWORKS[name]).eval()
    file = tmp_path / "member.safetensors"
    member = MemberFile(file, save_network(network, name, NETWORKS[name], file), 2, 3, (32, 32, 32))
    write(member, network)
    window_ncxyz = torch.randn((1, 2, *member.window))
    with torch.inference_mode():
        expected_nkxyz = network(window_ncxyz).numpy()
    found_nkxyz = OpenVINOBackend(read_compiled(tmp_path), "fp32", "a test").load(member)(
        window_ncxyz.numpy()
    )
    np.testing.assert_allclose(found_nkxyz, expected_nkxyz, atol=1e-3 * expected_nkxyz.std() + 1e-5)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_weights_in_half_precision_give_the_logits_of_the_same_values_in_float32(half, tmp_path):
    name, arguments = "PlainConvUNet", NETWORKS["PlainConvUNet"]
    torch.manual_seed(0)
    rounded = {key: tensor.to(half) for key, tensor in build_network(name, arguments).state_dict().items()}
    window_ncxyz = np.random.default_rng(0).standard_normal((1, 2, 32, 32, 32), np.float32)
    logits = []
    for folder, kind in ((tmp_path / "half", half), (tmp_path / "full", torch.float32)):
        folder.mkdir()
        file = folder / "member.safetensors"
        weights = {key: tensor.to(kind) for key, tensor in rounded.items()}
        member = MemberFile(file, save_weights(weights, name, arguments, file), 2, 3, (32, 32, 32))
        write(member, load_network(member.file, member.sha256))
        # Without the weights, which the graph shares with the file
        assert len(read_compiled(folder).read(member).constants) < 2000
        logits.append(OpenVINOBackend(read_compiled(folder), "fp32", "a test").load(member)(window_ncxyz))
    np.testing.assert_array_equal(*logits)


def write(member, network):
    tensors = map_weights(member.file, member.sha256).tensors
    graph = to_graph(network, member.channels, member.window, tensors)
    entry = write_graph(graph, member, member.file.parent)
    write_index(Index(openvino="a test", graphs=(entry,)), member.file.parent)
