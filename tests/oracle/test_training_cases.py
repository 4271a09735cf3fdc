"""Cached cases against nnU-Net's preprocessing, and the places of patches against its loader."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import ks_2samp

from segcube.training.cache import CacheRules
from segcube.training.cache.prepare import choose_voxels
from segcube.training.keys import StepKey
from segcube.training.patches import IGNORE, OUTSIDE
from segcube.training.sampling import draw_patches

from ..training.cached import CHALLENGE, cache_of, small_branch, small_rules, write_scan

IMAGE_TOLERANCE = 2e-3
"""Half precision keeps eleven bits: of values up to 4, to 1e-3."""
TIED_SHARE = 0.002
"""Of the voxels: halfway between others, as in the middle of an axis of 18 that becomes one of 19."""
SIGNIFICANCE = 1e-3
STEPS = 1500
LABELS = {"background": 0, "NCR": 1, "ED": 2, "ET": 3}
REGIONS = {"background": 0, "WT": [1, 2, 3], "TC": [1, 3], "ET": [3]}


def prepared_spec(**changes):
    spec = {
        "scan": {"channels": 2, "shape": [22, 20, 18], "spacing": [1.03, 1.21, 0.89]},
        "plan": {
            "normalization": "ZScoreNormalization",
            "mask": True,
            "patch": [8, 8, 8],
            "spacing": [1, 1, 1],
        },
        "labels": LABELS,
        "order": None,
        "resampling": "splines",
        "reader": "SimpleITKIO",
        "transpose": [0, 1, 2],
        "network": "PlainConvUNet",
        "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2]],
    }
    for key, value in changes.items():
        spec[key] = spec[key] | value if isinstance(value, dict) and key in ("scan", "plan") else value
    return spec


PREPARED = [
    prepared_spec(),
    prepared_spec(labels=REGIONS, order=[2, 1, 3], plan={"mask": False}),
    prepared_spec(labels=LABELS | {"ignore": 4}),
    prepared_spec(
        scan={"shape": [24, 22, 9], "spacing": [0.83, 0.79, 4.1]},
        plan={"spacing": [3.0, 1.0, 1.0]},
        transpose=[1, 0, 2],
    ),
]
PREPARED_NAMES = ("labels", "regions, no mask", "ignored voxels", "thick slices, transposed")
HEAD = "case | voxels | labels that differ | largest difference of the image"
AXES = {(0, 1, 2): "zyx", (1, 0, 2): "yzx"}


def placed_spec(shape, patch, **changes):
    plain = {"batch": 2, "cases": 3, "labels": LABELS, "order": None, "flat": False}
    return plain | {"shape": shape, "patch": patch} | changes


PLACED = [
    placed_spec((40, 32, 30), (16, 16, 16)),
    placed_spec((12, 40, 14), (16, 16, 16), batch=6, cases=5),
    placed_spec((9, 30, 34), (6, 20, 24), flat=True),
    placed_spec((24, 25, 26), (16, 24, 16), labels=REGIONS, order=[2, 1, 3]),
    placed_spec((24, 25, 26), (16, 16, 16), labels=LABELS | {"ignore": 4}),
]


def blobs(shape, rng, count):
    """Smooth regions of labels from 0, in equal shares."""
    noise = gaussian_filter(rng.standard_normal(shape), 1.5)
    return np.digitize(noise, np.quantile(noise, np.linspace(0, 1, count + 1)[1:-1])).astype(np.int16)


@pytest.fixture(scope="module")
def folders(oracle, tmp_path_factory) -> dict[str, list[Path]]:
    """A folder for each comparison with inputs and nnU-Net's results; one process computes all of them."""
    rng = np.random.default_rng(5)
    asked, found = [], {"prepared": [], "placed": []}
    for kind, specs in (("prepared", PREPARED), ("placed", PLACED)):
        for spec in specs:
            folder = tmp_path_factory.mktemp(kind)
            (write_native if kind == "prepared" else write_labels)(spec, folder, rng)
            asked.append({"kind": kind, "spec": spec, "folder": str(folder)})
            found[kind].append(folder)
    folder = tmp_path_factory.mktemp("asked")
    (folder / "requests.json").write_text(json.dumps(asked))
    oracle.run("training_cases.py", folder)
    return found


def write_native(spec, folder, rng):
    """Images that are 0 outside an ellipsoid and in a hole, and labels.

    Labels lie outside as well where no mask normalises: nnU-Net counts them as inside its mask, segcube does
    not, as they are unknown at inference.
    """
    shape = spec["scan"]["shape"]
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij"))
    away = (grid**2).sum(axis=0)
    inside = (away < 0.9) & (away > 0.02)
    labels = blobs(shape, rng, 4) * (away < (0.9 if spec["plan"]["mask"] else 0.95))
    if "ignore" in spec["labels"]:
        labels[inside & (grid[0] < -0.3)] = 4
    affine = np.diag([*np.array(spec["scan"]["spacing"]) * (-1, -1, 1), 1.0])
    for channel in range(2):
        image = (inside * rng.uniform(20, 240, shape)).astype(np.float32)
        nib.save(nib.Nifti1Image(image, affine), folder / f"image_{channel:04d}.nii.gz")
    nib.save(nib.Nifti1Image(labels.astype(np.uint8), affine), folder / "labels.nii.gz")


def write_labels(spec, folder, rng):
    labels = blobs(spec["shape"], rng, 6) % 4
    labels[blobs(spec["shape"], rng, 3) == 0] = 4 if "ignore" in spec["labels"] else 0
    np.save(folder / "labels.npy", labels)


def rules_of(spec, **branch) -> CacheRules:
    outputs = {"kind": "labels", "names": list(LABELS)}
    if spec["order"]:
        outputs = {"kind": "regions", "names": ["WT", "TC", "ET"]}
    ignore = spec["labels"].get("ignore")
    return CacheRules(small_branch(outputs=outputs, **branch), CHALLENGE, ignore)


@pytest.mark.parametrize("number", range(len(PREPARED)))
def test_a_cached_case_is_nnunets(number, folders, tmp_path, tabulate):
    spec, folder = PREPARED[number], folders["prepared"][number]
    mask = "foreground" if spec["plan"]["mask"] else "none"
    rules = rules_of(
        spec,
        axes=AXES[tuple(spec["transpose"])],
        normalize={"scheme": "zscore", "mask": mask},
        spacing=spec["plan"]["spacing"],
    )
    images = [nib.load(folder / f"image_{channel:04d}.nii.gz") for channel in range(2)]
    labels = np.asarray(nib.load(folder / "labels.nii.gz").dataobj)
    voxels = np.stack([np.asarray(image.dataobj) for image in images])
    scan = write_scan(tmp_path, "case", labels, voxels, images[0].affine)
    (case,) = cache_of(tmp_path / "cache", [scan], rules)
    expected = np.load(folder / "results.npz")
    stored = case.labels_xyz.astype(int)
    stored[stored == OUTSIDE], stored[stored == IGNORE] = -1, 4
    differ, difference = stored != expected["labels"], np.abs(case.image_cxyz - expected["image"]).max()
    tabulate(
        "cases.md", HEAD, f"{PREPARED_NAMES[number]} | {differ.size} | {differ.sum()} | {difference:.1e}"
    )
    assert (stored == -1).any()
    assert differ.mean() <= TIED_SHARE
    assert difference < IMAGE_TOLERANCE
    theirs = np.where(expected["labels"] < 0, OUTSIDE, expected["labels"].astype(int))
    groups = [*rules.classes.values(), *([rules.annotated] if rules.annotated else [])]
    for indices, voxels in zip(groups, choose_voxels(theirs, groups), strict=True):
        key = " ".join(str(-1 if index == OUTSIDE else index) for index in indices)
        assert np.array_equal(voxels, expected[f"voxels {key}"])


@pytest.mark.parametrize("number", range(len(PLACED)))
def test_patches_lie_where_nnunets_loader_cuts_them(number, folders, tmp_path):
    spec, folder = PLACED[number], folders["placed"][number]
    expected = np.load(folder / "results.npz")
    rules = rules_of(spec)
    scan = write_scan(tmp_path, "case", np.load(folder / "labels.npy"))
    cases = cache_of(tmp_path / "cache", [scan], rules)
    outputs = rules.branch.outputs.model_dump()
    patches = small_rules(spec["patch"], batch=spec["batch"], outputs=outputs)
    draws = [
        draw
        for step in range(STEPS)
        for draw in draw_patches(cases, patches, StepKey(3, step), range(spec["batch"]))
    ]
    forced = expected["forced samples"]
    assert {(draw.sample, draw.forced is not None) for draw in draws} == set(enumerate(forced.tolist()))
    assert forced.tolist() == [sample >= round(0.67 * len(forced)) for sample in range(len(forced))]
    starts = np.array([draw.centre for draw in draws]) - (expected["initial"] - 1) / 2
    chosen = np.array([draw.forced is not None for draw in draws])
    for name, rows in (("random", ~chosen), ("forced", chosen)):
        for axis in range(3):
            ours, theirs = starts[rows, axis], expected[name][:, axis]
            assert (ours.min(), ours.max()) == (theirs.min(), theirs.max())
            assert ks_2samp(ours, theirs).pvalue > SIGNIFICANCE


def test_cases_are_drawn_as_often(folders, tmp_path):
    """All equally likely in each sample, several times in a batch if it happens."""
    spec, folder = PLACED[1], folders["placed"][1]
    theirs = np.load(folder / "results.npz")["cases"]
    scans = [write_scan(tmp_path, str(number), np.ones((3, 3, 3))) for number in range(spec["cases"])]
    cases = cache_of(tmp_path / "cache", scans)
    rules = small_rules(batch=spec["batch"])
    ours = np.array(
        [
            [draw.case for draw in draw_patches(cases, rules, StepKey(0, step), range(spec["batch"]))]
            for step in range(STEPS)
        ]
    )
    for found in (ours, theirs):
        shares = [np.mean(found[:, sample] == case) for sample in range(6) for case in range(5)]
        assert np.allclose(shares, 0.2, atol=0.05)
    twice = [np.mean([len(set(row)) < 6 for row in found.tolist()]) for found in (ours, theirs)]
    assert twice == [1, 1]
