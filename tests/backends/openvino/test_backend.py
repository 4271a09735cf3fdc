from __future__ import annotations

import subprocess
from dataclasses import replace

import numpy as np
import pytest
import torch

from segcube.backends.openvino import read_compiled
from segcube.backends.openvino.backend import OpenVINOBackend
from segcube.core import EnvironmentFault, python_command, python_environment
from segcube.networks import load_network


def backend_of(member, precision="fp32"):
    return OpenVINOBackend(read_compiled(member.file.parent), precision, "a test")


def window_of(member, count=1):
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, member.channels, *member.window), dtype=np.float32)


def by_torch(member, batch_ncxyz):
    with torch.inference_mode():
        return load_network(member.file, member.sha256)(torch.from_numpy(batch_ncxyz)).numpy()


def test_logits_are_those_of_torch(member):
    window_ncxyz = window_of(member)
    found_nkxyz = backend_of(member).load(member)(window_ncxyz)
    np.testing.assert_allclose(found_nkxyz, by_torch(member, window_ncxyz), atol=1e-4)


def test_a_batch_is_its_windows(member):
    batch_ncxyz = window_of(member, 2)
    found_nkxyz = backend_of(member).load(member)(batch_ncxyz)
    np.testing.assert_allclose(found_nkxyz, by_torch(member, batch_ncxyz), atol=1e-4)


def test_a_mirrored_view_is_read_in_its_order(member):
    window_ncxyz = np.flip(window_of(member), axis=2)
    found_nkxyz = backend_of(member).load(member)(window_ncxyz)
    np.testing.assert_allclose(found_nkxyz, by_torch(member, window_ncxyz.copy()), atol=1e-4)


def test_members_that_alternate_repeat_their_logits(tumour_submission, members):
    first, second = members(tumour_submission)
    backend = backend_of(first)
    window_ncxyz = window_of(first)
    before = backend.load(first)(window_ncxyz).copy()
    other = backend.load(second)(window_ncxyz).copy()
    backend.release()
    assert np.array_equal(backend.load(first)(window_ncxyz), before)
    assert not np.array_equal(other, before)


def test_joined_members_give_their_weighted_sum(tumour_submission, members):
    files = members(tumour_submission)
    weight_mk = np.array([[1.0, 2.0, 0.0], [0.5, 0.0, 1.0]])
    window_ncxyz = window_of(files[0])
    alone = np.stack([by_torch(file, window_ncxyz) for file in files])
    joint = backend_of(files[0]).join(files, weight_mk)
    expected_nkxyz = np.einsum("mnkxyz,mk->nkxyz", alone, weight_mk)
    np.testing.assert_allclose(joint(window_ncxyz), expected_nkxyz, atol=1e-4)


def test_members_are_joined_once_for_the_same_weights(tumour_submission, members):
    files = members(tumour_submission)
    backend, weight_mk = backend_of(files[0]), np.ones((2, 3))
    joint = backend.join(files, weight_mk)
    assert backend.join(files, weight_mk) is joint
    assert backend.join(files, 2 * weight_mk) is not joint


def test_one_member_is_joined_with_nothing(member):
    assert backend_of(member).join([member], np.ones((1, 3))) is None


def test_weights_are_read_once(member):
    backend = backend_of(member)
    assert backend.load(member) is backend.load(member)


def test_full_precision_is_the_same_graphs_in_fp32(member):
    full = backend_of(member, "bf16").in_fp32()
    assert full.precision == "fp32"
    window_ncxyz = window_of(member)
    np.testing.assert_allclose(full.load(member)(window_ncxyz), by_torch(member, window_ncxyz), atol=1e-4)


def test_weights_that_changed_are_refused(member):
    content = bytearray(member.file.read_bytes())
    content[-1] ^= 1
    member.file.write_bytes(content)
    with pytest.raises(EnvironmentFault, match=r"expected sha256 .*download the file again"):
        backend_of(member).load(member)


@pytest.mark.parametrize("change", [{"channels": 3}, {"outputs": 4}])
def test_a_branch_that_asks_for_another_network_is_refused(member, change):
    with pytest.raises(EnvironmentFault, match="compiled graph takes and gives"):
        backend_of(member).load(replace(member, **change))


def test_importing_openvino_starts_no_telemetry():
    code = (
        "import segcube.backends, openvino, sys, multiprocessing; "
        "print(sys.modules['openvino_telemetry'], multiprocessing.active_children())"
    )
    environment = {name: value for name, value in python_environment().items() if name != "CI"}
    ended = subprocess.run(
        python_command("-c", code), env=environment, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "None []\n"
