"""The pool of threads that all calls of the native kernels share."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from segcube.backends.native import kernels as native
from segcube.backends.native.kernels import ConvWeights, LayerInput, NativeKernels

THREADS = 3

pytestmark = pytest.mark.parametrize("kernels", [8], indirect=True)


@pytest.fixture(autouse=True)
def three_threads(monkeypatch):
    monkeypatch.setattr(native, "cpu_count", lambda: THREADS)


def thread_count() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def convolved(kernels: NativeKernels, seed: int = 0) -> bytes:
    """Outputs and moments of a convolution in many pieces."""
    random = np.random.default_rng(seed)
    image = random.standard_normal((3, 24, 17, 19), dtype=np.float32)
    weights = ConvWeights(random.standard_normal((4, 3, 3, 3, 3), np.float32), None, (1, 1, 1), (1, 1, 1))
    found, moments = np.empty((4, 24, 17, 19), np.float32), np.empty((4, 2), np.float32)
    kernels.convolve([LayerInput(image)], weights, found, moments)
    return found.tobytes() + moments.tobytes()


def test_one_thread_gives_the_bytes_of_three(kernels, monkeypatch):
    expected = convolved(kernels)
    monkeypatch.setattr(native, "cpu_count", lambda: 1)
    assert convolved(kernels) == expected


def test_calls_from_several_threads_give_the_bytes_of_one(kernels):
    expected = [convolved(kernels, seed) for seed in range(8)]
    found: dict[int, list[bytes]] = {}

    def call(seed: int) -> None:
        found[seed] = [convolved(kernels, seed) for _ in range(20)]

    callers = [threading.Thread(target=call, args=(seed,)) for seed in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all(set(found[seed]) == {expected[seed]} for seed in range(8))


def test_threads_are_kept_from_call_to_call(kernels):
    convolved(kernels)
    before = thread_count()
    for seed in range(10):
        convolved(kernels, seed)
    assert thread_count() == before


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_starts_its_own_threads(kernels):
    expected = convolved(kernels)
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        same = convolved(kernels) == expected
        os._exit(0 if same and thread_count() == THREADS else 1)
    assert os.waitpid(child, 0)[1] == 0
