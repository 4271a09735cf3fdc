"""The pipeline of a stage: branches of every kind, against a plain computation of each."""

from __future__ import annotations

import traceback
from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference
from skimage.transform import resize

from segcube.backends.torch_cpu import TorchNetwork
from segcube.core import Clock, Grid
from segcube.inference import predict_volume
from segcube.inference.pipeline import CaseContext, predict_stage
from segcube.networks import load_network
from segcube.transforms import whole_case

REGIONS = ("TC", "WT", "ET")
LABELS = ("background", "NCR", "ED", "ET")


def branch(member, kind="regions", **more):
    names = REGIONS if kind == "regions" else LABELS
    return {
        "channels": ["t2f", "t1n", "t1c", "t2w"],
        "outputs": {"kind": kind, "names": list(names)},
        "window": {"size": [16, 16, 32], "overlap": 0.25, "plan": "monai"},
        "members": [member],
    } | more


@pytest.fixture
def probabilities_of(everywhere):
    """A submission's only stage on a volume, as probabilities on the whole native grid."""

    def run(models, volume, on_released=None):
        stage, case = models.loaded.submission.stages[0], CaseContext(volume, models, Clock())
        return everywhere(
            predict_stage(stage, whole_case(volume.grid.shape), case, "probabilities", on_released)
        )

    return run


def plain(file, volume, kind, spacing=None, size=(16, 16, 32)):
    """The same by MONAI and scikit-image: crop, z-score, resample, slide, activate, resample, place."""
    order = [2, 1, 0, 3]
    image_cxyz = volume.image_cxyz[order]
    box = (slice(3, 17), slice(2, 15), slice(1, 12))
    cropped = image_cxyz[(slice(None), *box)].astype(np.float64)
    scaled = np.stack([(c - c.mean()) / c.std() for c in cropped])
    shape = scaled.shape[1:]
    if spacing:
        to = [round(n / s) for n, s in zip(shape, spacing, strict=True)]
        scaled = np.stack([resize(c, to, 3, mode="edge", anti_aliasing=False) for c in scaled])
    with torch.inference_mode():
        seen = torch.from_numpy(scaled.astype(np.float32))[None]
        network = load_network(file, None)
        logits = sliding_window_inference(seen, size, 1, network, overlap=0.25, mode="gaussian")[0]
        values = (logits.sigmoid() if kind == "regions" else logits.softmax(0)).numpy()
    if spacing:
        values = np.stack([resize(c, shape, 1, mode="edge", anti_aliasing=False) for c in values])
    whole = np.zeros((len(values), *volume.grid.shape))
    if kind == "labels":
        whole[0] = 1
    whole[(slice(None), *box)] = values
    return whole


def submission(*branches, **stage):
    return {
        "challenge": "brats2023-gli",
        "stages": [{"name": "tumour", "regions": list(REGIONS), "branches": list(branches)} | stage],
    }


def test_one_branch_is_its_plain_computation(tmp_path, save_member, models_of, tumour, probabilities_of):
    member = save_member(tmp_path, 4, 3)
    ours = probabilities_of(models_of(submission(branch(member))), tumour)
    np.testing.assert_allclose(ours, plain(tmp_path / member["file"], tumour, "regions"), atol=1e-5)


def test_a_low_resolution_joins_a_full_one(tmp_path, save_member, models_of, tumour, probabilities_of):
    full, low = save_member(tmp_path, 4, 3, 0), save_member(tmp_path, 4, 3, 1, weight=3)
    models = models_of(submission(branch(full), branch(low, spacing=[1.5, 1.5, 1.5])))
    first = plain(tmp_path / full["file"], tumour, "regions")
    second = plain(tmp_path / low["file"], tumour, "regions", (1.5, 1.5, 1.5))
    np.testing.assert_allclose(probabilities_of(models, tumour), (first + 3 * second) / 4, atol=1e-5)


def test_a_label_model_joins_a_region_model(tmp_path, save_member, models_of, tumour, probabilities_of):
    regions, labels = save_member(tmp_path, 4, 3, 0), save_member(tmp_path, 4, 4, 1)
    models = models_of(submission(branch(regions), branch(labels, "labels")))
    _, ncr, ed, et = plain(tmp_path / labels["file"], tumour, "labels")
    summed = np.stack([ncr + et, ncr + ed + et, et])
    expected = (plain(tmp_path / regions["file"], tumour, "regions") + summed) / 2
    np.testing.assert_allclose(probabilities_of(models, tumour), expected, atol=1e-5)


def test_an_nnunet_joins_a_mednext(tmp_path, save_member, save_unet, models_of, tumour, probabilities_of):
    mednext, unet = save_member(tmp_path, 4, 3, 0), save_unet(tmp_path, 4, 3)
    turned = branch(unet, axes="zyx", window={"size": [32, 16, 16], "overlap": 0.25, "plan": "monai"})
    models = models_of(submission(branch(mednext), turned))
    network = load_network(tmp_path / unet["file"], None)
    first = plain(tmp_path / mednext["file"], tumour, "regions")
    box = (slice(None), slice(3, 17), slice(2, 15), slice(1, 12))
    cropped = tumour.image_cxyz[[2, 1, 0, 3]][box]
    scaled = np.stack([(c - c.mean()) / c.std() for c in cropped]).transpose(0, 3, 2, 1)
    with torch.inference_mode():
        seen = torch.from_numpy(np.ascontiguousarray(scaled, dtype=np.float32))[None]
        logits = sliding_window_inference(seen, (32, 16, 16), 1, network, overlap=0.25, mode="gaussian")
    second = np.zeros_like(first)
    second[box] = logits[0].sigmoid().numpy().transpose(0, 3, 2, 1)
    np.testing.assert_allclose(probabilities_of(models, tumour), (first + second) / 2, atol=1e-5)


def test_orientation_and_mirrored_scans_change_nothing_but_the_grid(
    tmp_path, save_member, models_of, tumour, probabilities_of
):
    """A scan that is stored the other way round gives the same map, stored the other way round."""
    models = models_of(submission(branch(save_member(tmp_path, 4, 3), orientation="RAS")))
    ours = probabilities_of(models, tumour)
    affine = tumour.grid.affine @ np.array(
        [[-1, 0, 0, tumour.grid.shape[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]
    )
    turned = replace(tumour, voxels=tuple(tumour.image_cxyz[:, ::-1]), grid=Grid(tumour.grid.shape, affine))
    np.testing.assert_allclose(probabilities_of(models, turned)[:, ::-1], ours, atol=1e-6)


def test_voxels_are_released_once_the_last_branch_is_prepared(
    tmp_path, save_member, models_of, tumour, probabilities_of
):
    members = [save_member(tmp_path, 4, 3, seed) for seed in (0, 1)]
    models = models_of(submission(branch(members[0]), branch(members[1], crop="none")))
    kept = probabilities_of(models, tumour)
    sizes: list[int] = []
    released = probabilities_of(models, tumour, lambda: sizes.append(tumour.image_cxyz.size))
    assert sizes == [0]
    assert tumour.grid.shape == (20, 18, 14)
    np.testing.assert_array_equal(released, kept)


@pytest.mark.parametrize("merge", ["probabilities", "logits"])
def test_from_a_case_to_a_forward_there_are_at_most_eight_frames(
    tmp_path, save_member, models_of, tumour, monkeypatch, merge
):
    models, depths = models_of(submission(branch(save_member(tmp_path, 4, 3)), merge=merge)), []
    call = TorchNetwork.__call__

    def counted(network, batch_ncxyz):
        names = [frame.name for frame in traceback.extract_stack()]
        depths.append(len(names) - 1 - names.index("predict_volume"))
        return call(network, batch_ncxyz)

    monkeypatch.setattr(TorchNetwork, "__call__", counted)
    predict_volume(tumour, models)
    # The last frame is this test's own, in place of the forward
    assert 0 < max(depths) + 1 <= 8
