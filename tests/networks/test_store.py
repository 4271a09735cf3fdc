import hashlib
import os
import stat

import pytest
import safetensors.torch
import torch
from torch import nn

from segcube import __version__
from segcube.core import EnvironmentFault, UsageError
from segcube.networks import (
    NetworkCard,
    build_network,
    load_network,
    read_metadata,
    save_network,
    stored_state,
    window_multiple,
)
from segcube.networks.store import fill, load_weights, mismatches, stored_names
from segcube.spec.submission import sha256_of

NAME = "MedNeXtV2MBAS"
ARGUMENTS = {
    "input_channels": 1,
    "num_classes": 2,
    "n_stages": 2,
    "features_per_stage": (2, 4),
    "kernel_sizes": 3,
    "strides": [1, 2],
    "n_blocks_per_stage": 1,
    "exp_ratio_per_stage": 1,
}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "weights.safetensors"


def network_of(seed):
    torch.manual_seed(seed)
    return build_network(NAME, ARGUMENTS)


def rewrite(file, change):
    """Change the tensors of a file, its card kept."""
    weights = load_weights(file, None)
    with safetensors.safe_open(file, framework="pt") as opened:
        card = opened.metadata()
    change(weights)
    file.write_bytes(safetensors.torch.save(weights, card))


def test_a_network_is_loaded_in_eval_mode(file):
    network = network_of(0)
    sha256 = save_network(network, NAME, ARGUMENTS, file)
    loaded = load_network(file, sha256)
    image = torch.randn(1, 1, 4, 4, 4)
    assert not loaded.training
    assert torch.equal(loaded(image), network.eval()(image))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        (
            "DynUNet",
            {"kernel_size": [3] * 3, "strides": [1, 2, 2], "filters": [4] * 3, "deep_supervision": True},
        ),
        ("SegResNet", {"init_filters": 8, "norm": "BATCH"}),
        ("SwinUNETR", {"feature_size": 12, "depths": [1] * 4, "window_size": 2}),
    ],
)
def test_networks_of_every_source_are_loaded_unchanged(file, name, arguments):
    arguments = {"in_channels": 1, "out_channels": 2, **arguments}
    network = build_network(name, arguments)
    loaded = load_network(file, save_network(network, name, arguments, file))
    long, *short = window_multiple(name, arguments)
    image = torch.randn(1, 1, 2 * long, *short)
    with torch.inference_mode():
        assert torch.equal(loaded(image), network.eval()(image))


def test_nnunet_with_shared_modules_is_loaded_unchanged(file):
    arguments = {
        **{k: v for k, v in ARGUMENTS.items() if k != "exp_ratio_per_stage"},
        "n_conv_per_stage_decoder": 1,
    }
    network = build_network("ResidualEncoderUNet", arguments)
    loaded = load_network(file, save_network(network, "ResidualEncoderUNet", arguments, file))
    state = loaded.state_dict(keep_vars=True)
    assert state["encoder.stem.convs.0.conv.weight"] is state["decoder.encoder.stem.convs.0.conv.weight"]
    for key, tensor in network.state_dict().items():
        assert torch.equal(state[key], tensor)


def test_the_card_is_read_without_tensors(file):
    save_network(network_of(0), NAME, ARGUMENTS, file, notes="for a test")
    arguments = {
        **ARGUMENTS,
        "features_per_stage": [2, 4],
        "kernel_sizes": [[3] * 3] * 2,
        "strides": [[1] * 3, [2] * 3],
    }
    arguments.update(n_blocks_per_stage=[1, 1], exp_ratio_per_stage=[1, 1])
    assert read_metadata(file) == NetworkCard(NAME, arguments, __version__, "for a test")


def test_the_same_input_gives_the_same_bytes(tmp_path):
    files = [tmp_path / f"{index}.safetensors" for index in range(3)]
    sums = {save_network(network_of(0), NAME, ARGUMENTS, file) for file in files}
    assert len(sums) == 1
    assert len({file.read_bytes() for file in files}) == 1


def test_the_sum_is_that_of_the_file(file):
    sha256 = save_network(network_of(0), NAME, ARGUMENTS, file)
    assert sha256 == sha256_of(file) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_channels_last_weights_are_stored_plainly(file, tmp_path):
    network = network_of(0)
    plain = save_network(network, NAME, ARGUMENTS, file)
    network.to(memory_format=torch.channels_last_3d)
    assert save_network(network, NAME, ARGUMENTS, tmp_path / "last.safetensors") == plain


def test_half_precision_is_cast_to_the_network(file):
    save_network(network_of(0).half(), NAME, ARGUMENTS, file)
    assert {p.dtype for p in load_network(file, None).parameters()} == {torch.float32}
    assert {t.dtype for t in load_weights(file, None).values()} == {torch.float16}


def test_only_the_file_remains_and_everyone_may_read_it(file, tmp_path):
    before = os.umask(0o022)
    try:
        save_network(network_of(0), NAME, ARGUMENTS, file)
    finally:
        os.umask(before)
    assert list(tmp_path.iterdir()) == [file]
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_file_is_replaced_whole(file):
    save_network(network_of(0), NAME, ARGUMENTS, file)
    sha256 = save_network(network_of(1), NAME, ARGUMENTS, file)
    assert sha256_of(file) == sha256


def test_a_wrong_sha256_is_refused_with_both_sums(file):
    found = save_network(network_of(0), NAME, ARGUMENTS, file)
    with pytest.raises(
        EnvironmentFault, match=f"weights.safetensors: sha256 {found}; expected sha256 {'0' * 64}"
    ) as caught:
        load_network(file, "0" * 64)
    assert caught.value.exit_code == 5


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for read in (
        read_metadata,
        sha256_of,
        lambda file: load_weights(file, None),
    ):
        for file in (tmp_path / "none.safetensors", tmp_path):
            with pytest.raises(EnvironmentFault, match="no such file"):
                read(file)


def test_a_file_that_is_cut_off_is_refused(file):
    for kept in (
        0,
        40,
        -1,
    ):
        for read in (
            read_metadata,
            lambda file: load_weights(file, None),
        ):
            save_network(network_of(0), NAME, ARGUMENTS, file)
            file.write_bytes(file.read_bytes()[:kept])
            with pytest.raises(
                EnvironmentFault, match=r"cannot be read: .*expected a whole safetensors file"
            ):
                read(file)


def test_a_pickle_is_refused(file):
    for read in (
        read_metadata,
        lambda file: load_weights(file, None),
    ):
        torch.save({"weight": torch.zeros(3)}, file)
        with pytest.raises(EnvironmentFault, match="expected a whole safetensors file"):
            read(file)


def test_values_that_are_not_finite_are_not_written(file):
    network = network_of(0)
    torch.nn.init.constant_(next(network.parameters()), float("inf"))
    with pytest.raises(EnvironmentFault, match="not finite"):
        save_network(network, NAME, ARGUMENTS, file)
    assert not file.exists()


def test_weights_of_another_network_are_refused_key_by_key(file):
    save_network(network_of(0), NAME, ARGUMENTS, file)

    def change(weights):
        weights["extra"] = torch.zeros(1)
        del weights["encoder.stem.norm.bias"]
        weights["encoder.stem.norm.weight"] = torch.zeros(3)

    rewrite(file, change)
    with pytest.raises(
        EnvironmentFault,
        match=r"keys 1 missing: encoder.stem.norm.bias; 1 unexpected: extra; "
        r"1 of another shape: encoder.stem.norm.weight \(3,\) instead of \(2,\)",
    ):
        load_network(file, None)


def test_a_file_of_an_unknown_network_is_refused(file):
    card = {"segcube": '{"network": "UNETR", "arguments": {}, "version": "9"}'}
    file.write_bytes(safetensors.torch.save({"a": torch.zeros(1)}, card))
    with pytest.raises(EnvironmentFault, match=r"weights.safetensors: unknown network 'UNETR'"):
        load_network(file, None)


def test_a_network_is_not_saved_under_arguments_that_describe_another(file):
    with pytest.raises(UsageError, match=r"of another shape: .*instead of"):
        save_network(network_of(0), NAME, {**ARGUMENTS, "features_per_stage": 8}, file)
    assert not file.exists()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "none").touch()
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        save_network(network_of(0), NAME, ARGUMENTS, tmp_path / "none" / "weights.safetensors")


def twice(layer):
    return nn.Sequential(layer, nn.Sequential(layer))


def test_a_shared_module_is_stored_once():
    network = twice(nn.Linear(2, 2))
    assert stored_names(network) == {
        "0.weight": "0.weight",
        "0.bias": "0.bias",
        "1.0.weight": "0.weight",
        "1.0.bias": "0.bias",
    }
    assert list(stored_state(network)) == ["0.weight", "0.bias"]


def test_filling_keeps_shared_modules_shared():
    with torch.device("meta"):
        network = twice(nn.Linear(2, 2))
    fill(network, {"0.weight": torch.eye(2), "0.bias": torch.ones(2)})
    assert network[0].weight is network[1][0].weight
    assert torch.equal(network(torch.tensor([1.0, 2.0])), torch.tensor([3.0, 4.0]))


def test_filling_keeps_the_precision_of_the_network():
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


def test_nan_and_infinity_are_found_and_integers_pass(file):
    weights = {
        "sound": torch.ones(2),
        "small": torch.ones(1).to(torch.float8_e4m3fn),
        "count": torch.tensor([2**40]),
        "none": torch.zeros(0),
    }
    file.write_bytes(safetensors.torch.save(weights))
    assert load_weights(file, None).keys() == weights.keys()
    weights |= {
        "nan": torch.tensor([0.0, float("nan")]),
        "inf": torch.tensor([float("inf")], dtype=torch.bfloat16),
    }
    file.write_bytes(safetensors.torch.save(weights))
    with pytest.raises(EnvironmentFault, match="2 tensors hold values that are not finite"):
        load_weights(file, None)
