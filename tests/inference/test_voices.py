from __future__ import annotations

import numpy as np
import pytest

from segcube.backends import branch_files
from segcube.backends.openvino import read_compiled
from segcube.backends.openvino.backend import OpenVINOBackend
from segcube.backends.torch_cpu import TorchBackend
from segcube.inference.ensemble import voices_of
from segcube.spec.submission import load_for

OPENVINO, TORCH = "openvino", "torch"


@pytest.mark.parametrize(
    ("backend", "merge", "apart", "count"),
    [
        (OPENVINO, "logits", False, 1),
        (OPENVINO, "logits", True, 2),
        (OPENVINO, "probabilities", False, 2),
        (TORCH, "logits", False, 2),
    ],
)
def test_members_share_a_voice_where_their_logits_are_summed(tumour_submission, backend, merge, apart, count):
    submission = load_for(tumour_submission).submission
    stage = submission.stages[0].model_copy(update={"merge": merge})
    branch = stage.branches[0]
    files = branch_files(stage, branch, submission, tumour_submission)
    made = {
        OPENVINO: OpenVINOBackend(read_compiled(tumour_submission), "fp32", "a test"),
        TORCH: TorchBackend("cpu", "fp32", "a test"),
    }
    voices = voices_of(stage, branch, files, made[backend], apart)
    assert len(voices) == count
    member = files[0]
    window_ncxyz = np.random.default_rng(0).standard_normal((1, member.channels, *member.window))
    backend_used, sums = made[backend], []
    for voice in voices:
        logits = voice.network(backend_used.upload(window_ncxyz.astype(np.float32)))
        sums.append(backend_used.download(logits)[0] * voice.weight_r[:, None, None, None])
    expected = sum(
        made[TORCH].load(file)(made[TORCH].upload(window_ncxyz.astype(np.float32))).numpy()[0]
        * np.array([own.weighs(name) for name in stage.names])[:, None, None, None]
        for file, own in zip(files, branch.members, strict=True)
    )
    np.testing.assert_allclose(sum(sums), expected, atol=1e-4)
