import mmap

import numpy as np
import pytest
import torch

from segcube.training.plan import memory
from segcube.training.plan.memory import available_gb, peak_gb, reset_peak, simulate_peak_gb

CPU = torch.device("cpu")


def test_tensors_that_are_alive_at_a_time_are_added_up():
    with torch.device("meta"):
        network = torch.nn.Sequential(
            torch.nn.Conv3d(1, 4, 1, bias=False), torch.nn.Conv3d(4, 1, 1, bias=False)
        )
    found = simulate_peak_gb(network, (1, 1, 100, 100, 100)) * 1e9
    # At the gradient of the second convolution: image, 4 channels and their gradient, the output's gradient
    assert found == pytest.approx((1 + 4 + 4 + 1) * 4 * 10**6, rel=1e-5)


def test_a_network_of_twice_the_batch_needs_twice_the_memory():
    with torch.device("meta"):
        network = torch.nn.Conv3d(2, 8, 3, padding=1)
    one, two = (simulate_peak_gb(network, (batch, 2, 32, 32, 32)) for batch in (1, 2))
    assert two == pytest.approx(2 * one, rel=0.01)


def test_the_peak_is_that_since_the_last_reset():
    reset_peak(CPU)
    before = peak_gb(CPU)
    # Not from malloc, which may keep what is freed
    with mmap.mmap(-1, 2 * 10**8) as block:
        np.frombuffer(block, dtype=np.uint8)[::4096] = 1
        during = peak_gb(CPU)
    reset_peak(CPU)
    assert during - before > 0.15
    assert peak_gb(CPU) < during - 0.15


def test_a_container_has_the_memory_of_its_limit(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "MEMORY_LIMIT", limit)
    limit.write_text("1000000\n")
    assert available_gb(CPU) == 0.001
    limit.write_text("max\n")
    assert available_gb(CPU) > 0.1
