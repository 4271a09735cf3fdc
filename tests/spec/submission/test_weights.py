import pytest
import safetensors.torch
import torch

from segcube.core import EnvironmentFault
from segcube.networks import build_network, save_network
from segcube.spec.submission import describe_weights


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("MedNeXtV1", {"in_channels": 1, "out_channels": 2, "n_channels": 2, "exp_r": 1, "block_counts": 1}),
        ("SegResNet", {"in_channels": 1, "out_channels": 2, "norm": "BATCH"}),
        (
            "SwinUNETR",
            {"in_channels": 1, "out_channels": 2, "feature_size": 12, "depths": [1] * 4, "window_size": 2},
        ),
    ],
)
def test_parameters_are_counted_without_buffers(tmp_path, name, arguments):
    network = build_network(name, arguments)
    save_network(network, name, arguments, tmp_path / "a.safetensors")
    described = describe_weights(tmp_path / "a.safetensors")
    assert described.network == name
    assert described.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert described.bytes == (tmp_path / "a.safetensors").stat().st_size
    assert described.arguments.keys() == arguments.keys()


def test_halves_are_counted(tmp_path):
    arguments = {"in_channels": 1, "out_channels": 2, "n_channels": 2, "exp_r": 1, "block_counts": 1}
    network = build_network("MedNeXtV1", arguments).bfloat16()
    save_network(network, "MedNeXtV1", arguments, tmp_path / "a")
    assert describe_weights(tmp_path / "a").parameters == sum(p.numel() for p in network.parameters())


def test_other_files_are_errors(tmp_path):
    with pytest.raises(EnvironmentFault, match="none: cannot be read"):
        describe_weights(tmp_path / "none")
    (tmp_path / "a").write_bytes(b"text")
    with pytest.raises(EnvironmentFault, match="a: cannot be read"):
        describe_weights(tmp_path / "a")
    (tmp_path / "b").write_bytes(safetensors.torch.save({"w": torch.ones(1)}))
    with pytest.raises(EnvironmentFault, match="expected weights written by segcube"):
        describe_weights(tmp_path / "b")


def test_metadata_of_too_many_levels_is_an_error(tmp_path):
    deep = "[" * 100_000
    (tmp_path / "a").write_bytes(safetensors.torch.save({"w": torch.ones(1)}, {"segcube": deep}))
    with pytest.raises(EnvironmentFault, match="a: cannot be read: more than 64 levels of nesting"):
        describe_weights(tmp_path / "a")
