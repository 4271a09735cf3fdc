import pytest
import safetensors.torch
import torch

from segcube.core import UsageError
from segcube.networks import NetworkCard, build_network, save_network
from segcube.networks.store import encode_card
from segcube.tools.soup.pot import average_weights

CARD = NetworkCard("MedNeXtV1", {"in_channels": 1}, "0")


def save(file, card=CARD, **tensors):
    file.write_bytes(safetensors.torch.save(tensors, encode_card(card)))
    return file


def test_floats_are_averaged_and_integers_left_alone(tmp_path):
    files = [
        save(tmp_path / f"{index}", w=torch.tensor([1.0, index]), count=torch.tensor(5 * index + 1))
        for index in range(3)
    ]
    card, mean = average_weights(files)
    assert card == CARD
    assert torch.equal(mean["w"], torch.tensor([1.0, 1.0]))
    assert mean["count"] == 1


def test_the_sum_runs_in_float64(tmp_path):
    values = [1e8, 1.0, -1e8, 1.0]
    files = [save(tmp_path / f"{i}", w=torch.tensor([value])) for i, value in enumerate(values)]
    assert average_weights(files)[1]["w"].item() == 0.5
    assert sum(torch.tensor([value]) for value in values).item() != 2


def test_halves_stay_halves(tmp_path):
    files = [save(tmp_path / f"{i}", w=torch.full((1,), 1.0 + i).half()) for i in range(2)]
    mean = average_weights(files)[1]["w"]
    assert (mean.dtype, mean.item()) == (torch.float16, 1.5)


def test_one_file_is_its_own_mean(tmp_path):
    network = build_network(
        "MedNeXtV1", {"in_channels": 1, "out_channels": 1, "n_channels": 2, "exp_r": 1, "block_counts": 1}
    )
    arguments = {"in_channels": 1, "out_channels": 1, "n_channels": 2, "exp_r": 1, "block_counts": 1}
    save_network(network, "MedNeXtV1", arguments, tmp_path / "a")
    for name, tensor in average_weights([tmp_path / "a"])[1].items():
        assert torch.equal(tensor, network.state_dict()[name])


def test_different_networks_are_refused(tmp_path):
    one = save(tmp_path / "a", w=torch.ones(1))
    other = save(tmp_path / "b", NetworkCard("MedNeXtV1", {"in_channels": 2}, "0"), w=torch.ones(1))
    with pytest.raises(UsageError, match=r"b: holds a MedNeXtV1 of \{'in_channels': 2\}; expected .*as a"):
        average_weights([one, other])


def test_nothing_has_no_mean():
    with pytest.raises(UsageError, match="no weights"):
        average_weights([])
