from __future__ import annotations

import numpy as np
import pytest
import torch

from segcube.backends import DeviceMemoryError
from segcube.backends.torch_cpu import TorchBackend
from segcube.core import CaseError, Code
from segcube.inference import Models
from segcube.inference.workspace import workspaces


def models(device: str, log: list[str] | None = None) -> Models:
    backend = TorchBackend(device, "fp32", "a test")
    return Models(None, backend, mirroring=True, log=[].append if log is None else log.append)  # type: ignore[arg-type]


def test_a_device_steps_down_to_single_windows_then_host_accumulators_then_the_cpu():
    log: list[str] = []
    held, seen = models("cuda:0", log), []
    while held.workspace.backend.device != "cpu":
        workspace = held.workspace
        seen.append((workspace.batch, workspace.sum_on_host))
        held.step_down("no room")
    assert seen == [(4, False), (2, False), (1, False), (1, True)]
    assert len(log) == 4
    assert all("too little memory" in line and "no room" in line for line in log)


def test_a_cpu_that_is_full_costs_the_case_and_is_tried_again_for_the_next():
    held = models("cpu")
    with pytest.raises(CaseError) as caught:
        held.step_down("no room")
    assert caught.value.code == Code.MEMORY
    assert held.workspace.backend.device == "cpu"


def test_the_cpu_runs_one_window_at_a_time():
    assert [space.batch for space in workspaces(TorchBackend("cpu", "fp32", ""))] == [1]


def test_a_failed_allocation_is_a_lack_of_memory():
    backend = TorchBackend("cpu", "fp32", "a test")
    with pytest.raises(DeviceMemoryError):
        backend.zeros(1, (2**20, 2**20, 2**10))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_cuda_agrees_with_the_cpu(precision, tmp_path, save_member, models_of, tumour, everywhere):
    from segcube.backends.cuda.backend import open_cuda
    from segcube.core import Clock
    from segcube.inference.pipeline import CaseContext, predict_stage
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
    cuda = Models(cpu.loaded, open_cuda("cuda:0", precision, "on", print), mirroring=True, log=print)

    def run(held: Models) -> np.ndarray:
        stage = held.loaded.submission.stages[0]
        case = CaseContext(tumour, held, Clock())
        return everywhere(predict_stage(stage, whole_case(tumour.grid.shape), case, "probabilities"))

    tolerance = {"fp32": 1e-4, "fp16": 1e-2, "bf16": 5e-2}[precision]
    np.testing.assert_allclose(run(cuda), run(cpu), atol=tolerance)
