import torch
from torch import nn

from segcube.networks import stored_state
from segcube.networks.state import fill, mismatches, not_finite, stored_names


def twice(layer):
    return nn.Sequential(layer, nn.Sequential(layer))


def test_a_module_in_two_places_is_stored_once():
    network = twice(nn.Linear(2, 2))
    assert stored_names(network) == {
        "0.weight": "0.weight",
        "0.bias": "0.bias",
        "1.0.weight": "0.weight",
        "1.0.bias": "0.bias",
    }
    assert list(stored_state(network)) == ["0.weight", "0.bias"]


def test_filling_keeps_the_places_one():
    with torch.device("meta"):
        network = twice(nn.Linear(2, 2))
    fill(network, {"0.weight": torch.eye(2), "0.bias": torch.ones(2)})
    assert network[0].weight is network[1][0].weight
    assert torch.equal(network(torch.tensor([1.0, 2.0])), torch.tensor([3.0, 4.0]))


def test_filling_keeps_the_network_s_precision():
    network = nn.Linear(2, 1)
    fill(
        network,
        {"weight": torch.ones(1, 2, dtype=torch.float16), "bias": torch.zeros(1, dtype=torch.float64)},
    )
    assert network.weight.dtype == network.bias.dtype == torch.float32
    assert network.weight.requires_grad


def test_fitting_weights_have_no_mismatches():
    network = nn.Linear(2, 1)
    assert mismatches(network, network.state_dict()) == ""


def test_each_kind_of_mismatch_is_named():
    weights = {"weight": torch.zeros(1, 3), "scale": torch.zeros(1)}
    assert mismatches(nn.Linear(2, 1), weights) == (
        "1 missing: bias; 1 unexpected: scale; 1 of another shape: weight (1, 3) instead of (1, 2)"
    )


def test_ten_keys_are_listed_and_the_others_counted():
    weights = {f"k{index:02}": torch.zeros(1) for index in range(13)}
    found = mismatches(nn.Identity(), weights)
    assert found.startswith("13 unexpected: k00, ")
    assert found.endswith("k09 and 3 more")


def test_nan_and_infinity_are_found_and_integers_pass():
    weights = {
        "sound": torch.ones(2),
        "nan": torch.tensor([0.0, float("nan")]),
        "inf": torch.tensor([float("inf")], dtype=torch.bfloat16),
        "small": torch.ones(1).to(torch.float8_e4m3fn),
        "count": torch.tensor([2**40]),
        "none": torch.zeros(0),
    }
    assert not_finite(weights) == ["nan", "inf"]
