"""Scores against those of published code, within 1e-6, on random pairs of masks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from segcube.evaluation.profiles.score import score_labels
from segcube.spec.challenges import Challenge, load_challenge

PAIRS = 40
SPACINGS = [(1.0, 1.0, 1.0), (0.625, 0.625, 2.5), (0.7, 1.1, 3.0), (2.0, 1.0, 0.5)]
CLOSE = 1e-6


def blobs(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """A mask of boxes and balls, some of which touch or reach the image's end."""
    mask_xyz = np.zeros(shape, dtype=bool)
    grid = np.ogrid[tuple(slice(0, length) for length in shape)]
    for _ in range(rng.integers(1, 6)):
        corner = [int(rng.integers(0, length)) for length in shape]
        if rng.random() < 0.4:
            mask_xyz[tuple(slice(start, start + int(rng.integers(1, 6))) for start in corner)] = True
        else:
            away = sum((axis - middle) ** 2 for axis, middle in zip(grid, corner, strict=True))
            mask_xyz |= away < rng.uniform(1.5, 7) ** 2
    return mask_xyz


def pairs(empty: bool) -> Iterator[tuple[np.ndarray, np.ndarray, tuple[float, float, float]]]:
    """Found mask, reference and spacing; empty: some masks are."""
    rng = np.random.default_rng(5)
    for number in range(PAIRS):
        x, y, z = (int(length) for length in rng.integers(12, 30, 3))
        reference_xyz = blobs(rng, (x, y, z))
        moved_xyz = np.roll(reference_xyz, rng.integers(-3, 4, 3), (0, 1, 2))
        found_xyz = blobs(rng, (x, y, z)) if number % 4 == 0 else moved_xyz & (rng.random((x, y, z)) > 0.03)
        found_xyz[0, 0, 0] = reference_xyz[0, 0, 0] = not empty
        if empty and number % 7 < 3:
            found_xyz &= number % 7 == 1
            reference_xyz &= number % 7 == 2
        yield found_xyz, reference_xyz, SPACINGS[number % len(SPACINGS)]


def published(oracle, which: str, empty: bool, folder: Path) -> list[dict[str, float]]:
    """The published code's scores of all pairs."""
    content = {}
    for number, (found_xyz, reference_xyz, spacing) in enumerate(pairs(empty)):
        content |= {f"found_{number}": found_xyz, f"reference_{number}": reference_xyz}
        content[f"spacing_{number}"] = np.array(spacing)
    np.savez_compressed(folder / "pairs.npz", **content)
    oracle.run("metrics.py", which, folder / "pairs.npz", folder / "scores.json")
    return json.loads((folder / "scores.json").read_text())


def ours(profile: str, empty: bool) -> list[dict[str, float]]:
    """segcube's scores of all pairs: one label that is a region by itself."""
    base = load_challenge("brats2024-men-rt")
    challenge = Challenge.model_validate(base.model_dump() | {"metrics": {"profile": profile}})
    return [
        dict(
            score_labels(found.astype(np.uint8), reference.astype(np.uint8), spacing, challenge).regions[
                "GTV"
            ]
        )
        for found, reference, spacing in pairs(empty)
    ]


def same(found: float, expected: float) -> bool:
    return math.isclose(found, expected, rel_tol=0, abs_tol=CLOSE) or (
        math.isnan(found) and math.isnan(expected)
    )


@pytest.mark.parametrize(("which", "profile"), [("surface", "plain"), ("monai", "plain"), ("medpy", "mbas")])
def test_whole_mask_scores(oracle, tmp_path, which, profile):
    for row, expected in zip(ours(profile, False), published(oracle, which, False, tmp_path), strict=True):
        areas, means = expected.pop("areas", None), expected.pop("asd_both_ways", None)
        if areas:
            expected["asd"] = float(np.average(means, weights=areas))
        assert {name: row[name] for name in expected} == pytest.approx(expected, abs=CLOSE)


def test_matched_instances(oracle, tmp_path):
    names = {
        "tp": "num_tp",
        "fp": "num_fp",
        "fn": "num_fn",
        "prec": "precision",
        "rec": "recall",
        "rq": "rq",
        "sq_dsc": "sq_dice",
        "sq_dsc_std": "sq_dice_std",
        "pq_dsc": "pq_dice",
        "sq_hd95": "sq_hd95",
        "sq_hd95_std": "sq_hd95_std",
        "sq_nsd": "sq_nsd",
        "sq_nsd_std": "sq_nsd_std",
        "global_bin_dsc": "dice",
        "global_bin_hd95": "hd95",
        "global_bin_nsd": "nsd_0.5",
    }
    for number, (row, expected) in enumerate(
        zip(ours("brats2026", True), published(oracle, "panoptica", True, tmp_path), strict=True)
    ):
        for theirs, name in names.items():
            value = 373.0 if math.isinf(expected[theirs]) else expected[theirs]
            assert same(row[name], value), (number, name, row[name], value)


def test_lesions_have_the_distances_of_surface_distance(oracle, tmp_path):
    """A reference that is one lesion: with every component united, its HD95 is the whole masks'."""
    base = load_challenge("brats2024-men-rt").model_dump()
    rules = {"GTV": {"dilation": 40, "threshold": 0}}
    metrics = {"profile": "brats2023", "regions": rules, "penalty": 374, "missing_case": 374}
    challenge = Challenge.model_validate(base | {"metrics": metrics})
    expected = published(oracle, "surface", False, tmp_path)
    for (found_xyz, reference_xyz, spacing), row in zip(pairs(False), expected, strict=True):
        labels = found_xyz.astype(np.uint8), reference_xyz.astype(np.uint8)
        (scores,) = score_labels(*labels, spacing, challenge).regions.values()
        assert scores["lesionwise_dice"] == pytest.approx(row["dice"], abs=CLOSE)
        assert scores["lesionwise_hd95"] == scores["hd95"] == pytest.approx(row["hd95"], abs=CLOSE)
