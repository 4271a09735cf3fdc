import pytest
import torch
from torch.nn import functional

from segcube.core import UsageError
from segcube.networks import build_network, stored_state
from segcube.spec.submission import Outputs
from segcube.training.transfer import NetworkSpec, Reset, match_weights

REGIONS = Outputs(kind="regions", names=("WT", "TC", "ET"))
CHANNELS = ("t1c", "t1n", "t2f", "t2w")
HEADS = ("out_0.conv_out.weight", "out_0.conv_out.bias")


def spec_of(channels=CHANNELS, outputs=REGIONS, **changes):
    arguments = {
        "in_channels": len(channels),
        "out_channels": len(outputs.names),
        "size": "S",
        "n_channels": 4,
        "kernel_size": 3,
        "deep_supervision": False,
    }
    return NetworkSpec("MedNeXtV1", arguments | changes, channels, outputs)


def weights_of(spec, seed):
    torch.manual_seed(seed)
    return stored_state(build_network(spec.network, spec.arguments))


def fates(matched):
    return {row.name: (row.fate, row.how) for row in matched.fates if row.fate != "copied"}


def matched(target, source=None, **options):
    source = source or spec_of()
    return match_weights(weights_of(source, 1), source, weights_of(target, 2), target, **options)


def test_weights_of_the_same_network_are_copied():
    found = matched(spec_of())
    trained = weights_of(spec_of(), 1)
    assert fates(found) == {}
    assert found.tensors.keys() == trained.keys()
    assert all(torch.equal(found.tensors[name], trained[name]) for name in trained)


def test_channels_are_matched_by_name_and_a_new_one_gets_the_mean():
    old = weights_of(spec_of(), 1)["stem.weight"]
    found = matched(spec_of(("t2w", "flair", "adc")))
    assert fates(found) == {
        "stem.weight": (
            "adapted",
            "channels t2w from t2w and flair from t2f and adc from their mean, without t1c and t1n",
        )
    }
    wanted = torch.stack([old[:, 3], old[:, 2], old.mean(dim=1)], dim=1)
    torch.testing.assert_close(found.tensors["stem.weight"], wanted)


def test_heads_are_matched_by_label():
    swapped = Outputs(kind="regions", names=("ET", "WT", "TC"))
    found = matched(spec_of(outputs=swapped))
    trained = weights_of(spec_of(), 1)
    weight, bias = (found.tensors[name] for name in HEADS)
    assert torch.equal(weight, trained[HEADS[0]][:, [2, 0, 1]])
    assert torch.equal(bias, trained[HEADS[1]][[2, 0, 1]])


MORE = Outputs(kind="regions", names=("WT", "TC", "ET", "RC"))


def test_a_new_label_is_refused_until_it_is_reset():
    with pytest.raises(UsageError, match=r"have no output RC; expected outputs that match WT, .*--reset RC"):
        matched(spec_of(outputs=MORE))
    found = matched(spec_of(outputs=MORE), reset=Reset(outputs=frozenset({"RC"})))
    trained, fresh = weights_of(spec_of(), 1), weights_of(spec_of(outputs=MORE), 2)
    weight = found.tensors[HEADS[0]]
    assert torch.equal(weight[:, :3], trained[HEADS[0]])
    assert torch.equal(weight[:, 3], fresh[HEADS[0]][:, 3])


def test_a_label_that_is_left_out_is_reported():
    fewer = Outputs(kind="regions", names=("WT", "ET"))
    assert fates(matched(spec_of(outputs=fewer)))[HEADS[1]] == (
        "adapted",
        "outputs WT from WT and ET from ET, without TC",
    )


def test_labels_do_not_become_regions_but_heads_may_be_reset():
    labels = Outputs(kind="labels", names=("background", "NCR", "ED", "ET"))
    with pytest.raises(UsageError, match="the trained network has regions, WT, TC, ET; expected labels"):
        matched(spec_of(outputs=labels))
    found = matched(spec_of(outputs=labels), reset=Reset(frozenset(HEADS)))
    assert fates(found) == dict.fromkeys(HEADS, ("fresh", "reset"))
    assert torch.equal(found.tensors[HEADS[0]], weights_of(spec_of(outputs=labels), 2)[HEADS[0]])


def test_larger_kernels_are_interpolated():
    """UpKern of MedNeXt: trilinear, without aligned corners."""
    found, trained = matched(spec_of(kernel_size=5)), weights_of(spec_of(), 1)
    name = "enc_block_0.0.conv1.weight"
    wanted = functional.interpolate(trained[name], size=(5, 5, 5), mode="trilinear")
    assert torch.equal(found.tensors[name], wanted)
    assert fates(found)[name] == ("adapted", "kernel 3 x 3 x 3 to 5 x 5 x 5")
    # 18 blocks, 4 of each direction of sampling
    assert len(fates(found)) == 26


def test_smaller_kernels_are_refused():
    with pytest.raises(UsageError, match=r"26 of another shape: enc_block_0\.0\.conv1\.weight \(4, 1, 5"):
        matched(spec_of(), spec_of(kernel_size=5))


def test_heads_of_lower_resolutions_may_be_missing_or_left_over():
    supervised = spec_of(deep_supervision=True)
    heads = {f"out_{level}.conv_out.{kind}" for level in (1, 2, 3, 4) for kind in ("weight", "bias")}
    assert fates(matched(supervised)) == dict.fromkeys(heads, ("fresh", "no such head"))
    assert fates(matched(spec_of(), supervised)) == dict.fromkeys(heads, ("left out", "no such head"))


@pytest.mark.parametrize(
    ("target", "source", "message"),
    [
        ({"size": "M"}, {}, "not in the trained weights: enc_block_0.2"),
        ({}, {"size": "M"}, "not in the new network: enc_block_0.2"),
        ({"n_channels": 8}, {}, "of another shape: stem.weight"),
    ],
)
def test_another_body_is_refused(target, source, message):
    with pytest.raises(UsageError, match=message):
        matched(spec_of(**target), spec_of(**source))
