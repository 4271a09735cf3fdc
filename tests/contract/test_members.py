"""Whole runs of several members."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import yaml


def test_summed_logits_give_the_labels_of_torch(infer, tumour_submission):
    file = tumour_submission / "submission.yaml"
    content = yaml.safe_load(file.read_text())
    content["stages"][0]["merge"] = "logits"
    file.write_text(yaml.safe_dump(content))
    _, joined, _, _ = infer("--backend", "openvino", out="joined")
    code, apart, _, stderr = infer("--backend", "torch", out="apart")
    assert code == 0, stderr
    for name in sorted(path.name for path in apart.iterdir()):
        expected, found = (np.asarray(nib.load(folder / name).dataobj) for folder in (apart, joined))
        assert len(np.unique(expected)) > 1
        assert (found != expected).mean() < 1e-3
