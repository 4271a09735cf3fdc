from pathlib import Path

import pytest
import safetensors.torch
import torch

from segcube.core import EnvironmentFault
from segcube.networks import NetworkCard, build_network, describe_weights, save_network
from segcube.networks.card import decode_card, encode_card

FILE = Path("weights.safetensors")


def test_a_card_survives_encoding():
    card = NetworkCard("MedNeXtV1", {"in_channels": 1, "exp_r": [1, 2]}, "0.1.0", "made by hand")
    assert decode_card(encode_card(card), FILE) == card


def test_the_order_of_arguments_does_not_change_the_card():
    cards = [NetworkCard("N", {"a": 1, "b": 2}, "0"), NetworkCard("N", {"b": 2, "a": 1}, "0")]
    assert encode_card(cards[0]) == encode_card(cards[1])


def test_the_card_is_one_entry():
    assert len(encode_card(NetworkCard("N", {}, "0"))) == 1


def test_a_file_without_a_card_is_refused():
    with pytest.raises(
        EnvironmentFault, match=r"weights.safetensors: has no network card; expected .*import it"
    ):
        decode_card({"format": "pt"}, FILE)


def test_a_broken_card_is_refused():
    for text, words in (
        ("not json", "broken at the start"),
        ('{"network": "N", "arguments": [], "version": "0"}', "broken at arguments"),
        ('{"network": "N", "arguments": {}}', "broken at version"),
    ):
        with pytest.raises(EnvironmentFault, match=words):
            decode_card({"segcube": text}, FILE)


@pytest.mark.parametrize(
    ("name", "arguments", "dtype"),
    [
        ("MedNeXtV1", {"n_channels": 2, "exp_r": 1, "block_counts": 1}, torch.bfloat16),
        ("SegResNet", {"norm": "BATCH"}, torch.float32),
        ("SwinUNETR", {"feature_size": 12, "depths": [1] * 4, "window_size": 2}, torch.float32),
    ],
    ids=["bfloat16", "statistics", "indices"],
)
def test_parameters_are_counted_without_buffers(tmp_path, name, arguments, dtype):
    arguments |= {"in_channels": 1, "out_channels": 2}
    network = build_network(name, arguments).to(dtype)
    save_network(network, name, arguments, tmp_path / "a.safetensors")
    described = describe_weights(tmp_path / "a.safetensors")
    assert described.network == name
    assert described.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert described.bytes == (tmp_path / "a.safetensors").stat().st_size
    assert described.arguments.keys() == arguments.keys()


def test_other_files_are_not_described(tmp_path):
    file = tmp_path / "a"
    with pytest.raises(EnvironmentFault, match="a: no such file"):
        describe_weights(file)
    file.write_bytes(b"text")
    with pytest.raises(EnvironmentFault, match="a: cannot be read"):
        describe_weights(file)
    file.write_bytes(safetensors.torch.save({"w": torch.ones(1)}))
    with pytest.raises(EnvironmentFault, match="has no network card"):
        describe_weights(file)
    file.write_bytes(safetensors.torch.save({"w": torch.ones(1)}, {"segcube": "[" * 100_000}))
    with pytest.raises(EnvironmentFault, match="card is broken"):
        describe_weights(file)
