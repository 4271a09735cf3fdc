import pytest
import torch

from segcube.core import EnvironmentFault
from segcube.importers.mednext.weights import mednext_arguments, told_size
from segcube.networks import build_network
from segcube.networks.registry import check_arguments


def state_of(**arguments):
    with torch.device("meta"):
        return build_network("MedNeXtV1", {"in_channels": 4, "out_channels": 3, **arguments}).state_dict()


@pytest.mark.parametrize("size", "SBML")
@pytest.mark.parametrize("kernel", [3, 5])
def test_published_sizes_are_told_by_their_shapes(size, kernel):
    found = mednext_arguments(state_of(size=size, kernel_size=kernel, deep_supervision=True))
    assert found["size"] == size
    assert told_size(found) == f"MedNeXt v1 {size}, kernel {kernel}"
    assert found["deep_supervision"] is True


@pytest.mark.parametrize(
    "own",
    [
        {"n_channels": 2, "exp_r": [1, 2, 3, 1, 2, 3, 1, 2, 3], "block_counts": [1, 2, 1, 2, 1, 2, 1, 2, 1]},
        {"size": "S", "enc_kernel_size": 5, "dec_kernel_size": 3},
        {"n_channels": 4, "exp_r": 1, "block_counts": 1, "grn": True, "do_res_up_down": False},
    ],
)
def test_sizes_of_one_s_own_are_told_by_their_shapes(own):
    wanted, found = state_of(**own), state_of(**mednext_arguments(state_of(**own)))
    assert {k: v.shape for k, v in found.items()} == {k: v.shape for k, v in wanted.items()}
    check_arguments("MedNeXtV1", mednext_arguments(wanted))


def test_another_network_is_refused():
    with pytest.raises(EnvironmentFault, match="has no entry"):
        mednext_arguments({"stem.weight": torch.ones(2, 1, 1, 1, 1)})
