from __future__ import annotations

import numpy as np
import pytest
import torch

from segcube.backends import DeviceMemoryError
from segcube.backends.torch_cpu import TorchBackend
from segcube.core import CaseError, Code
from segcube.inference import Models
from segcube.inference.workspace import ladder


def models(device: str, told: list[str]) -> Models:
    return Models(None, TorchBackend(device, "fp32", "a test"), flips=True, log=told.append)  # type: ignore[arg-type]


def test_a_device_steps_down_to_single_windows_then_host_sums_then_the_cpu():
    told: list[str] = []
    seen = []

    def task(space):
        seen.append((space.backend.device, space.batch, space.sum_on_host))
        if space.backend.device != "cpu":
            raise DeviceMemoryError("no room")
        return "done"

    held = models("cuda:0", told)
    assert held.run(task) == "done"
    assert seen == [
        ("cuda:0", 4, False),
        ("cuda:0", 2, False),
        ("cuda:0", 1, False),
        ("cuda:0", 1, True),
        ("cpu", 1, False),
    ]
    assert len(told) == 4
    assert all("too little memory" in line for line in told)


def test_later_cases_begin_where_the_last_one_fitted():
    seen = []

    def task(space):
        seen.append(space.batch)
        if space.batch > 1:
            raise DeviceMemoryError("no room")

    held = models("cuda:0", [])
    held.run(task)
    seen.clear()
    held.run(task)
    assert seen == [1]


def test_a_cpu_that_is_full_costs_the_case():
    def task(_):
        raise MemoryError

    with pytest.raises(CaseError) as caught:
        models("cpu", []).run(task)
    assert caught.value.code == Code.MEMORY


def test_the_cpu_runs_one_window_at_a_time():
    assert [space.batch for space in ladder(TorchBackend("cpu", "fp32", ""))] == [1]


def test_allocations_that_fail_are_told_as_memory():
    backend = TorchBackend("cpu", "fp32", "a test")
    with pytest.raises(DeviceMemoryError):
        backend.zeros(1, (2**20, 2**20, 2**10))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_cuda_agrees_with_the_cpu(precision, tmp_path, save_member, models_of, tumour, everywhere):
    from segcube.backends.cuda.selection import open_cuda
    from segcube.core import Clock
    from segcube.inference.stage import StageRun
    from segcube.transforms import whole_case

    content = {
        "challenge": "brats2023-gli",
        "stages": [
            {
                "name": "tumour",
                "branches": [
                    {
                        "channels": ["t2f", "t1n", "t1c", "t2w"],
                        "outputs": {"kind": "regions", "names": ["TC", "WT", "ET"]},
                        "window": {"size": [16, 16, 32]},
                        "flips": ["x", "y"],
                        "members": [save_member(tmp_path, 4, 3, seed) for seed in (0, 1)],
                    }
                ],
            }
        ],
    }
    cpu = models_of(content)
    cuda = Models(cpu.loaded, open_cuda("cuda:0", precision, "on", print), flips=True, log=print)

    def run(held: Models) -> np.ndarray:
        stage = held.loaded.submission.stages[0]
        merged = StageRun(stage, tumour, whole_case(tumour.grid.shape), held, Clock()).run()
        return everywhere(merged)

    tolerance = {"fp32": 1e-4, "fp16": 1e-2, "bf16": 5e-2}[precision]
    np.testing.assert_allclose(run(cuda), run(cpu), atol=tolerance)
