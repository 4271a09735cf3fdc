"""Label maps of imported nnU-Nets against those of nnU-Net's own predictor, voxel by voxel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import yaml
from scipy.ndimage import gaussian_filter
from typer.testing import CliRunner

from segcube.cli.app import app

CASE = "case_01"
SHARE = 1e-4
"""Of the voxels that are foreground in either map, what may differ from the exact answer."""
AS_IT_COMES = 1.01
"""Against nnU-Net in half precision: at most this many times the voxels in which it differs from itself."""
OPENVINO_SHARE = 1e-3
"""The same on OpenVINO, whose sums run in another order on every chip."""
HEAD = (
    "comparison | foreground | differ | allowed | from nnU-Net as it comes | nnU-Net from itself | "
    "OpenVINO from the exact map"
)
RANGE = (20.0, 240.0)
"""Within what RGBTo01Normalization takes."""
TABLE = yaml.safe_load((Path(__file__).parent / "nnunet.yaml").read_text())


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with its changes; of mappings only the keys that are named, but labels as a whole."""
    both = deepcopy(dict(base))
    for key, value in changes.items():
        deep = isinstance(value, dict) and isinstance(both.get(key), dict) and key != "labels"
        both[key] = merged(both[key], value) if deep else value
    return both


COMPARISONS = [merged(TABLE["default"], changes) for changes in TABLE["comparisons"]]


def write_scans(spec: Mapping[str, Any], folder: Path) -> None:
    """A case of smooth noise, zero around it; masked: zero outside an ellipsoid and in a hole inside it."""
    folder.mkdir()
    rng = np.random.default_rng(7)
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in spec["shape"]), indexing="ij"))
    inside_xyz = (grid**2).sum(axis=0) < 1.1 if spec["masked"] else np.abs(grid).max(axis=0) < 0.95
    if spec["masked"]:
        inside_xyz &= (grid**2).sum(axis=0) > 0.01
    for channel in range(spec["channels"]):
        noise_xyz = gaussian_filter(rng.standard_normal(spec["shape"]), 1.2)
        noise_xyz = (noise_xyz - noise_xyz.min()) / np.ptp(noise_xyz)
        scan_xyz = np.where(inside_xyz, RANGE[0] + noise_xyz * (RANGE[1] - RANGE[0]), 0).astype(np.int16)
        nib.save(image_of(scan_xyz, spec), folder / f"{CASE}_{channel:04d}.nii.gz")


def image_of(scan_xyz: np.ndarray, spec: Mapping[str, Any]) -> nib.Nifti1Image:
    """A NIfTI image with both forms; oblique: turned, and its axes in another order and direction."""
    turn = np.diag([-1.0, -1.0, 1.0])
    if spec["oblique"]:
        a, b = 0.3, 0.2
        about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
        turn = about_x @ about_z @ np.array([[0.0, -1, 0], [-1, 0, 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn * np.array(spec["spacing"])
    affine[:3, 3] = (10, -20, 30)
    image = nib.Nifti1Image(scan_xyz, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    image.header["pixdim"][1:4] = spec["spacing"]
    return image


def challenge_of(spec: Mapping[str, Any], file: Path) -> Path:
    """A challenge of the user's own whose files are named as nnU-Net names them."""
    tumour = spec["order"] is not None
    channels = (
        ["t1n", "t1c", "t2w", "t2f"][: spec["scan"]["channels"]] if spec["scan"]["channels"] > 1 else ["lge"]
    )
    labels = {"background": 0} | ({"ED": 1, "NCR": 2, "ET": 3} if tumour else {"wall": 1, "RA": 2, "LA": 3})
    regions = {"WT": ["ED", "NCR", "ET"], "TC": ["NCR", "ET"], "ET": ["ET"]}
    regions = regions if tumour else {name: [name] for name in labels if name != "background"}
    painted = {"WT": "ED", "TC": "NCR", "ET": "ET"} if tumour else {name: name for name in regions}
    content = {
        "key": "oracle",
        "title": "Oracle",
        "case": r"case_\d{2}",
        "made_case": "case_{number:02d}",
        "layout": "walk",
        "channels": [{"name": name, "suffixes": [f"_{n:04d}"]} for n, name in enumerate(channels)],
        "reference": channels[0],
        "labels": labels,
        "regions": regions,
        "scored": list(regions),
        "write": [{"region": region, "label": label} for region, label in painted.items()],
        "geometry": {"fixed": False, "grids": [{"shape": [10, 10, 10], "spacing": [1.0, 1.0, 1.0]}]},
    }
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def run_segcube(spec: Mapping[str, Any], root: Path) -> dict[str, np.ndarray]:
    """Import the model folder and predict with it on each backend, all by the command line."""
    challenge = challenge_of(spec, root / "oracle.yaml")
    source = ["mbas", root / "model.pth"] if spec.get("mbas") else ["nnunet", root / "model"]
    command = ["import", *source, "--out", root / "weights", "--challenge", challenge]
    command += ["--previous", root / "earlier"] if spec["previous"] and not spec.get("mbas") else []
    command += ["--checkpoint", spec.get("checkpoint", "final")]
    invoke(*command)
    infer = ["infer", "--data_path", root / "images", "--weights", root / "weights", "--device", "cpu"]
    maps = {}
    for backend in ("torch", "openvino"):
        invoke(*infer, "--backend", backend, "--output_path", root / backend, "--quiet")
        maps[backend] = read(root / backend / f"{CASE}.nii.gz")
    return maps


def invoke(*arguments: object) -> None:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output


def read(file: Path) -> np.ndarray:
    return np.asarray(nib.load(file).dataobj).astype(np.uint8)


@pytest.fixture(scope="module")
def answers(request, oracle, tmp_path_factory) -> dict[str, Path]:
    """A folder a comparison, with its models and nnU-Net's maps; one process makes all of them."""
    specs = [item.callspec.params["spec"] for item in request.session.items if item.path == request.path]
    folders = {spec["name"]: tmp_path_factory.mktemp("nnunet") for spec in specs}
    asked = []
    for spec in specs:
        write_scans(spec["scan"], folders[spec["name"]] / "images")
        earlier = merged(spec, spec["previous"]) if spec["previous"] else None
        asked.append({"spec": spec, "earlier": earlier, "folder": str(folders[spec["name"]])})
    file = tmp_path_factory.mktemp("asked") / "comparisons.json"
    file.write_text(json.dumps(asked))
    oracle.run("nnunet.py", file)
    return folders


@pytest.mark.parametrize("spec", COMPARISONS, ids=lambda spec: spec["name"])
def test_the_map_is_nnunets(spec, answers, tabulate):
    folder = answers[spec["name"]]

    maps = run_segcube(spec, folder)
    ours_xyz, openvino_xyz = maps["torch"], maps["openvino"]

    exact_xyz, plain_xyz = (
        read(folder / f"model-{kind}" / f"{CASE}.nii.gz") for kind in ("widened", "plain")
    )
    foreground = np.count_nonzero((ours_xyz > 0) | (exact_xyz > 0))
    differ, from_plain, own = (
        np.count_nonzero(a != b)
        for a, b in ((ours_xyz, exact_xyz), (ours_xyz, plain_xyz), (plain_xyz, exact_xyz))
    )
    allowed, on_openvino = int(SHARE * foreground), np.count_nonzero(openvino_xyz != exact_xyz)
    numbers = (foreground, differ, allowed, from_plain, own, on_openvino)
    tabulate("nnunet.md", HEAD, f"{spec['name']} | {' | '.join(map(str, numbers))}")
    assert len(np.unique(exact_xyz)) == 4, "the map is not busy enough to tell anything"
    assert differ <= allowed
    assert from_plain <= AS_IT_COMES * own
    assert on_openvino <= OPENVINO_SHARE * foreground
