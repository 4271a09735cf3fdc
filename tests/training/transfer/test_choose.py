import pytest

from segcube.core import UsageError
from segcube.networks import build_network
from segcube.spec.submission import Outputs
from segcube.training.transfer import NetworkSpec, frozen_parameters, parse_reset

OUTPUTS = Outputs(kind="regions", names=("TC", "WT", "ET"))


def mednext(size="B"):
    arguments = {
        "in_channels": 4,
        "out_channels": 3,
        "size": size,
        "kernel_size": 3,
        "deep_supervision": True,
    }
    spec = NetworkSpec("MedNeXtV1", arguments, ("t2f", "t1n", "t1c", "t2w"), OUTPUTS)
    return build_network(spec.network, arguments), spec


@pytest.fixture(scope="module")
def small():
    return mednext("S")


def trained(network, spec, *freeze):
    frozen = frozen_parameters(network, spec, freeze)
    return {name: p.numel() for name, p in network.named_parameters() if name not in frozen}


def test_ugrip_trains_the_last_decoder_stage_and_the_heads_of_mednext_b():
    """13,295 parameters in 26 tensors, as BraTS-UGRIP's README describes."""
    found = trained(*mednext(), "ugrip")
    assert (len(found), sum(found.values())) == (26, 13_295)
    assert {name.split(".")[0] for name in found} == {"dec_block_0", *(f"out_{level}" for level in range(5))}


def test_body_trains_the_heads(small):
    assert {name.split(".")[0] for name in trained(*small, "body")} == {f"out_{level}" for level in range(5)}


def test_patterns_add_up(small):
    found = trained(*small, "enc_block_*", "down_*")
    assert not any(name.startswith(("enc_block", "down")) for name in found)
    assert "stem.weight" in found


@pytest.mark.parametrize(
    ("freeze", "message"),
    [
        ("encoder.*", r"--freeze encoder\.\* matches no tensor; expected ugrip, body, or"),
        ("*", "every parameter"),
    ],
)
def test_what_cannot_be_frozen_is_refused(small, freeze, message):
    with pytest.raises(UsageError, match=message):
        frozen_parameters(*small, [freeze])


def test_heads_outputs_and_patterns_are_reset(small):
    network, spec = small
    names = network.state_dict()
    assert len(parse_reset(spec, names, ["heads"]).tensors) == 10
    assert parse_reset(spec, names, ["ET"]).outputs == {"ET"}
    assert parse_reset(spec, names, ["stem.*"]).tensors == {"stem.weight", "stem.bias"}
    with pytest.raises(UsageError, match="--reset RC matches no tensor; expected heads, TC, WT, ET, or"):
        parse_reset(spec, names, ["RC"])
