from __future__ import annotations

import hashlib

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors.numpy import save_file

from segcube.backends.openvino.mapped import map_weights
from segcube.core import EnvironmentFault


@pytest.fixture
def saved(tmp_path):
    file = tmp_path / "member.safetensors"
    save_file({"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([7, 8])}, file)
    return file, hashlib.sha256(file.read_bytes()).hexdigest()


def test_tensors_are_the_bytes_of_the_file(saved):
    weights = map_weights(*saved)
    assert {name: list(tensor) for name, tensor in weights.tensors.items()} == {
        "a": [0, 1, 2, 3, 4, 5],
        "b": [7, 8],
    }


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_cast_to_float32(tmp_path, half):
    file = tmp_path / "half.safetensors"
    values = torch.tensor([1.5, -0.375, 0.0], dtype=half)
    safetensors.torch.save_file({"a": values}, file)
    (tensor,) = map_weights(file, hashlib.sha256(file.read_bytes()).hexdigest()).tensors.values()
    assert tensor.dtype == np.float32
    assert list(tensor) == [1.5, -0.375, 0.0]


def test_what_was_forgotten_is_read_again(saved):
    weights = map_weights(*saved)
    weights.forget()
    assert list(weights.tensors["b"]) == [7, 8]


def test_nothing_that_is_written_reaches_the_file(saved):
    map_weights(*saved).tensors["a"][:] = 0
    assert list(map_weights(*saved).tensors["a"]) == [0, 1, 2, 3, 4, 5]


def test_another_file_is_refused(saved):
    with pytest.raises(EnvironmentFault, match="expected sha256 0000"):
        map_weights(saved[0], "0" * 64)


def test_an_empty_file_is_refused(saved):
    saved[0].write_bytes(b"")
    with pytest.raises(EnvironmentFault, match="expected sha256"):
        map_weights(*saved)


def test_a_missing_file_is_refused(saved):
    saved[0].unlink()
    with pytest.raises(EnvironmentFault, match="no such file"):
        map_weights(*saved)
