"""Fixtures of several tests: tiny submissions and tiny cases."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import yaml

from segcube.spec.challenges import Challenge, load_challenge

from . import fast

AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])


def pytest_configure(config: pytest.Config) -> None:
    if fast.is_fast_run(config):
        fast.begin_fast_run()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if fast.is_fast_run(config) and fast.is_left_out(collection_path) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and fast.is_fast(item):
            item.add_marker(pytest.mark.fast)


@pytest.fixture(autouse=True)
def _two_threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """Limit torch to two threads, so that results do not depend on the number of cores."""
    if request.node.get_closest_marker("fast"):
        yield
        return
    torch = import_module("torch")

    before = torch.get_num_threads()
    torch.set_num_threads(min(2, before))
    yield
    torch.set_num_threads(before)


@pytest.fixture
def glioma() -> Challenge:
    return load_challenge("brats2023-gli")


@pytest.fixture
def make_case() -> Callable[..., Path]:
    """Write a case of random voxels to a folder."""

    def write(
        folder: Path, challenge: Challenge, name: str, shape=(14, 12, 10), affine=AFFINE, seed: int = 0
    ) -> Path:
        rng = np.random.default_rng(seed)
        place = folder / name if challenge.layout == "folders" else folder
        place.mkdir(parents=True, exist_ok=True)
        for channel in challenge.channels:
            image_xyz = np.zeros(shape, dtype=np.int16)
            inner_xyz = image_xyz[2:-2, 2:-2, 1:-1]
            inner_xyz[...] = rng.integers(1, 1000, inner_xyz.shape)
            nib.save(nib.Nifti1Image(image_xyz, affine), place / f"{name}{channel.suffixes[0]}.nii.gz")
        return place

    return write


def saver(name: str, arguments_of: Callable[[int, int], dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return a function that saves a random network and returns its entry as a member."""
    import torch

    from segcube.networks import build_network, save_network

    def save(folder: Path, channels: int, outputs: int, seed: int = 0, **entry: Any) -> dict[str, Any]:
        torch.manual_seed(seed)
        arguments = arguments_of(channels, outputs)
        network = build_network(name, arguments)
        file = f"{name}{seed}.safetensors"
        sha256 = save_network(network, name, arguments, folder / file)
        return {"file": file, "sha256": sha256, **entry}

    return save


def save_mednext(folder: Path, channels: int, outputs: int, seed: int = 0, **entry: Any) -> dict[str, Any]:
    """Save a random tiny MedNeXt and return its entry as a member."""

    def arguments_of(channels: int, outputs: int) -> dict[str, Any]:
        kind = {"n_channels": 2, "exp_r": [2] * 9, "block_counts": [1] * 9}
        return {"in_channels": channels, "out_channels": outputs, **kind}

    return saver("MedNeXtV1", arguments_of)(folder, channels, outputs, seed, **entry)


@pytest.fixture
def save_member() -> Callable[..., dict[str, Any]]:
    """The function that saves a random tiny MedNeXt; further keywords are added to its entry."""
    return save_mednext


@pytest.fixture
def save_unet() -> Callable[..., dict[str, Any]]:
    """A function that saves a random tiny PlainConvUNet of nnU-Net."""
    return saver(
        "PlainConvUNet",
        lambda channels, outputs: {
            "input_channels": channels,
            "num_classes": outputs,
            "n_stages": 3,
            "features_per_stage": [2, 4, 4],
            "kernel_sizes": [[3, 3, 3]] * 3,
            "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2]],
            "n_conv_per_stage": [1] * 3,
            "n_conv_per_stage_decoder": [1] * 2,
            "conv_bias": True,
            "norm_op": "torch.nn.InstanceNorm3d",
            "nonlin": "torch.nn.LeakyReLU",
        },
    )


@pytest.fixture
def tumour_submission(tmp_path: Path, tumour_once: Path) -> Path:
    """A compiled submission of two members for brats2023-gli."""
    return Path(shutil.copytree(tumour_once, tmp_path / "weights" / "tumour"))


@pytest.fixture(scope="session")
def tumour_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, created once: to be copied, never changed."""
    from segcube.backends.openvino import compile_submission
    from segcube.spec.submission import load_for_challenge

    folder = tmp_path_factory.mktemp("once") / "tumour"
    folder.mkdir()
    members = [save_mednext(folder, 4, 3, seed) for seed in (0, 1)]
    content = {
        "name": "tumour",
        "challenge": "brats2023-gli",
        "serves": ["brats2023-ssa"],
        "stages": [
            {
                "name": "tumour",
                "branches": [
                    {
                        "channels": ["t2f", "t1n", "t1c", "t2w"],
                        "outputs": {"kind": "regions", "names": ["TC", "WT", "ET"]},
                        "window": {"size": [16, 16, 32], "plan": "monai"},
                        "flips": ["x"],
                        "members": members,
                    }
                ],
            }
        ],
        "postprocess": [{"rule": "nest", "order": ["ET", "TC", "WT"]}],
    }
    (folder / "submission.yaml").write_text(yaml.safe_dump(content))
    compile_submission(load_for_challenge(folder), folder, print)
    return folder
