"""How often patches show foreground and each class, against the patches of nnU-Net's loader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segcube.training.cache import CacheRules
from segcube.training.keys import StepKey
from segcube.training.sampling import draw_patches

from ..training.cached import CHALLENGE, cache_of, small_branch, small_rules, write_scan
from .trainers import IGNORED, LABELS, TrainerRequest, spec_of

PATCH = (8, 8, 8)
SHAPE = (30, 28, 26)
BATCH, STEPS = 2, 1500
"""nnU-Net forces the second sample of a batch of two."""
DEVIATIONS = 4
"""By which a share may differ; draws have fixed seeds, so the result is the same in every run."""
CASES = (
    (("ED", (20, 12, 14), 7), ("NCR", (20, 12, 14), 4.5), ("ET", (20, 12, 14), 2)),
    (("ED", (8, 20, 9), 4), ("ET", (24, 20, 21), 2)),
    (),
)
"""Balls of labels, each with centre and radius, later ones over earlier ones; the last case has none."""
OUTPUTS = ("labels", "regions", "labels, ignored voxels")
HEAD = "outputs | sample of a batch | what the patch shows | of segcube's patches | of nnU-Net's"


def label_maps(ignore: bool) -> list[np.ndarray]:
    """The cases; ignore: a part of each has no label."""
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"))
    found = []
    for balls in CASES:
        labels = np.zeros(SHAPE, np.int16)
        for name, centre, radius in balls:
            labels[np.linalg.norm(grid - np.reshape(centre, (3, 1, 1, 1)), axis=0) < radius] = LABELS[name]
        if ignore:
            labels[:, :8] = IGNORED
        found.append(labels)
    return found


def trainer_requests() -> dict[str, TrainerRequest]:
    """Ask for the places of patches of each kind of outputs."""
    requests = {}
    for name in OUTPUTS:
        spec = spec_of(regions=name == "regions", ignore="ignored" in name)
        spec["plan"] = spec["plan"] | {"patch": PATCH}
        arrays = {str(number): labels for number, labels in enumerate(label_maps("ignored" in name))}
        settings: dict[str, Any] = {"batch": BATCH, "draws": STEPS}
        requests[f"patches, {name}"] = TrainerRequest("drawn", spec, arrays, settings)
    return requests


def drawn(name: str, folder: Path, initial: np.ndarray) -> np.ndarray:
    """segcube's patches as nnU-Net's loader describes its own: sample, case, whether forced, start."""
    outputs = {"kind": "labels", "names": list(LABELS)}
    if name == "regions":
        outputs = {"kind": "regions", "names": ["WT", "TC", "ET"]}
    ignore = IGNORED if "ignored" in name else None
    maps = label_maps(ignore is not None)
    scans = [write_scan(folder, str(number), labels) for number, labels in enumerate(maps)]
    cases = cache_of(folder / "cache", scans, CacheRules(small_branch(outputs=outputs), CHALLENGE, ignore))
    rules = small_rules(PATCH, batch=BATCH, outputs=outputs)
    rows = []
    for step in range(STEPS):
        for draw in draw_patches(cases, rules, StepKey(5, step), range(BATCH)):
            start = np.array(draw.centre) - (initial - 1) / 2
            rows.append([draw.sample, draw.case, draw.forced is not None, *start.astype(int)])
    return np.array(rows)


def shown(rows: np.ndarray, maps: list[np.ndarray], initial: np.ndarray) -> dict[str, np.ndarray]:
    """For each draw whether the middle of what is cut, the patch, shows what the keys name."""
    margin = 2 * max(PATCH)
    padded = [np.pad(labels, margin) for labels in maps]
    starts = rows[:, 3:] + (initial - PATCH) // 2 + margin
    present = np.zeros((len(rows), IGNORED + 1), dtype=bool)
    for number, (case, start) in enumerate(zip(rows[:, 1], starts, strict=True)):
        place = tuple(slice(low, low + size) for low, size in zip(start, PATCH, strict=True))
        present[number] = np.bincount(padded[case][place].ravel(), minlength=IGNORED + 1) > 0
    labels = {name: present[:, value] for name, value in LABELS.items() if value}
    return labels | {"foreground": present[:, 1:IGNORED].any(axis=1), "ignored voxels": present[:, IGNORED]}


@pytest.mark.parametrize("name", OUTPUTS)
def test_patches_show_each_class_as_often(name, trainer_answers, tabulate, tmp_path):
    _, expected = trainer_answers[f"patches, {name}"]
    maps, initial = label_maps("ignored" in name), expected["initial"]
    both = [drawn(name, tmp_path, initial), expected["rows"]]
    shows = [shown(rows, maps, initial) for rows in both]
    for kind, sample in (("random", 0), ("forced", 1)):
        chosen = [rows[:, 0] == sample for rows in both]
        for what in shows[0]:
            ours, theirs = (found[what][rows].mean() for found, rows in zip(shows, chosen, strict=True))
            if ours or theirs:
                tabulate("sampling.md", HEAD, f"{name} | {kind} | {what} | {ours:.1%} | {theirs:.1%}")
            share = (ours + theirs) / 2
            assert abs(ours - theirs) <= DEVIATIONS * np.sqrt(share * (1 - share) * 2 / STEPS)
