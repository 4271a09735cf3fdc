import pytest
import torch

from segcube.core import EnvironmentFault
from segcube.importers.sources import unwrap

ONE = torch.ones(1)


@pytest.mark.parametrize("prefix", ["", "model.", "model._orig_mod.", "net.module."])
def test_any_prefix_is_found(prefix):
    found = unwrap({f"{prefix}stem.weight": ONE, f"{prefix}out.bias": ONE}, "stem.weight")
    assert (found.prefix, list(found.state), found.left) == (prefix, ["stem.weight", "out.bias"], ())
    assert found.notes() == ()


def test_what_lies_beside_is_the_trainer_s():
    found = unwrap({"model.stem.weight": ONE, "loss.w": ONE, "epoch": 3}, "stem.weight")
    assert found.left == ("loss.w",)
    assert "loss.w" in found.notes()[0]


def test_two_networks_need_a_word():
    state = {"model.stem.weight": ONE, "ema.model.stem.weight": 2 * ONE}
    with pytest.raises(EnvironmentFault, match=r"'model.', 'ema.model.'; expected one network; .*--prefix"):
        unwrap(state, "stem.weight")
    assert unwrap(state, "stem.weight", "ema.model.").state["stem.weight"] == 2


def test_another_network_is_refused():
    with pytest.raises(EnvironmentFault, match="stands behind nothing"):
        unwrap({"conv.weight": ONE, "mystem.weight": ONE}, "stem.weight")
    with pytest.raises(EnvironmentFault, match="no state_dict but a list"):
        unwrap([], "stem.weight")
