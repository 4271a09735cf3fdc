from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from segcube.spec.challenges import Challenge
from segcube.training.plan import Plan
from segcube.training.progress import RunFacts, pictures
from segcube.training.recipes import load_recipe


@pytest.fixture
def plan(glioma: Challenge) -> Plan:
    """A plan for tiny patches of all channels, with the regions as outputs."""
    branch = {
        "channels": glioma.channel_names,
        "outputs": {"kind": "regions", "names": glioma.scored},
        "window": {"size": (8, 12, 16)},
        "members": [{"file": "fold_0.safetensors", "sha256": "0" * 64}],
    }
    arguments = {
        "input_channels": len(glioma.channels),
        "num_classes": len(glioma.scored),
        "n_stages": 2,
        "features_per_stage": [2, 4],
        "kernel_sizes": [[3, 3, 3]] * 2,
        "strides": [[1, 1, 1], [2, 2, 2]],
        "n_conv_per_stage": [1] * 2,
        "n_conv_per_stage_decoder": [1],
        "conv_bias": True,
        "norm_op": "torch.nn.InstanceNorm3d",
        "nonlin": "torch.nn.LeakyReLU",
    }
    return Plan(
        challenge=glioma.key,
        origin="a test",
        branch=branch,  # pyright: ignore
        network="PlainConvUNet",
        arguments=arguments,
        patch=(8, 12, 16),
        batch=2,
        batch_dice=False,
        median_shape=(20, 20.5, 30),
        spacing=(1.0, 1.0, 2.0),
        recipe=load_recipe("fast"),
    )


@pytest.fixture
def no_matplotlib(monkeypatch) -> Iterator[None]:
    """matplotlib looks as if it were not installed."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name)
    )
    pictures.can_draw.cache_clear()
    yield
    pictures.can_draw.cache_clear()


@pytest.fixture
def run(plan: Plan, glioma: Challenge) -> RunFacts:
    return RunFacts(plan, glioma, "fold_0", 600, {"device": "cpu", "torch": "2.13.0"})


@pytest.fixture
def records() -> list[dict]:
    """Two steps, an event and a validation of two cases."""

    def step(number: int, **values) -> dict:
        seconds = {"data": 0.25, "augment": 0.25, "forward": 0.5, "backward": 0.75, "update": 0.25}
        return {
            "kind": "step",
            "step": number,
            "rate": 0.004,
            "seconds": seconds,
            "memory_gb": 1.25,
            **values,
        }

    return [
        step(1, loss=1.0, dice=-0.25, entropy=1.25, gradient_norm=2.0, updated=True),
        {"kind": "event", "step": 1, "event": "skipped", "message": "step 2 <changed> no weights"},
        step(2, loss=None, dice=None, entropy=0.75, gradient_norm=None, updated=False),
        {
            "kind": "validation",
            "step": 2,
            "scores": {
                "case-1": {"WT": 0.75, "TC": 0.5, "ET": None},
                "case-2": {"WT": 0.25, "TC": 0.25, "ET": 0.125},
            },
            "mean": {"WT": 0.5, "TC": 0.375, "ET": 0.125},
            "recall": {"WT": 0.875, "any": 0.625},
            "challenge_metrics": {
                "case-1": {"WT": {"dice": 0.5, "hd95": 4.0}, "ET": {"dice": None}},
                "case-2": {"WT": {"dice": 0.25, "hd95": None}, "ET": {"dice": 1.0}},
            },
            "confusion": {"labels": ["background", "ET"], "voxels": [[60, 0], [30, 10]]},
        },
    ]
