from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from segcube.core import Case, Forms, Grid, Volume, to_numpy
from segcube.inference import Models
from segcube.inference.merge import StageOutput
from segcube.spec.submission import load_for_challenge

CHANNELS = ("t1c", "t1n", "t2f", "t2w")


def volume_of(
    image_cxyz: np.ndarray, channels: tuple[str, ...] = CHANNELS, affine: np.ndarray | None = None
) -> Volume:
    """A volume that never was a file."""
    grid = Grid(image_cxyz.shape[1:], np.diag([-1.0, -1.0, 1.0, 1.0]) if affine is None else affine)
    forms = Forms(1, tuple(grid.affine[:3].ravel()), 0, (0.0,) * 6, (1.0, 1.0, 1.0, 1.0), 2)
    case = Case("BraTS-GLI-00001-000", {}, channels[0])
    return Volume(case, channels, tuple(image_cxyz.astype(np.float32)), grid, forms)


@pytest.fixture
def everywhere() -> Callable[[StageOutput], np.ndarray]:
    """A stage's probabilities on the whole native grid, (K, X, Y, Z)."""

    def fill(merged: StageOutput) -> np.ndarray:
        whole_kxyz = np.zeros((len(merged.names), *merged.shape), dtype=np.float32)
        whole_kxyz[0] = merged.kind == "labels"
        for place, slab_kxyz in merged.slabs():
            whole_kxyz[(slice(None), *place.slices)] = to_numpy(slab_kxyz)
        return whole_kxyz

    return fill


@pytest.fixture
def models_of(tmp_path: Path) -> Callable[[dict[str, Any]], Models]:
    """Models of a submission given as data, its weights in tmp_path, on the CPU in fp32."""
    from segcube.backends.torch_cpu import TorchBackend

    def load(content: dict[str, Any]) -> Models:
        (tmp_path / "submission.yaml").write_text(yaml.safe_dump({"name": "a-test"} | content))
        return Models(
            load_for_challenge(tmp_path), TorchBackend("cpu", "fp32", "a test"), mirroring=True, log=print
        )

    return load


@pytest.fixture
def scaled() -> Callable[[Path, dict[str, Any], float], dict[str, Any]]:
    """Multiply all weights of a saved member: folder, its entry, by how much."""
    import torch

    from segcube.networks import load_network, read_metadata, save_network

    def scale(folder: Path, member: dict[str, Any], factor: float) -> dict[str, Any]:
        file = folder / member["file"]
        network, card = load_network(file, None), read_metadata(file)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(factor)
        return member | {"sha256": save_network(network, card.network, card.arguments, file)}

    return scale


@pytest.fixture
def tumour() -> Volume:
    """Four channels of noise in a box of zeros."""
    rng = np.random.default_rng(3)
    image_cxyz = np.zeros((4, 20, 18, 14))
    image_cxyz[:, 3:17, 2:15, 1:12] = rng.normal(100, 20, (4, 14, 13, 11))
    return volume_of(image_cxyz)


@pytest.fixture
def heart() -> Volume:
    """One channel with a bright block and a smaller one, 1 mm."""
    image_xyz = np.random.default_rng(4).normal(10, 1, (24, 20, 12))
    image_xyz[6:14, 6:13, 3:9] += 100
    image_xyz[18:21, 2:5, 2:5] += 100
    return volume_of(image_xyz[None], ("lge",))
