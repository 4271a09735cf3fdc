"""Small labelled cases as files, and caches of them."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from segcube.core import Case
from segcube.spec.challenges import load_challenge
from segcube.spec.submission import Branch
from segcube.training.cache import CachedCase, CacheRules, open_cache, prepare_cases
from segcube.training.cases import LabelledCase
from segcube.training.patches import PatchRules
from segcube.training.recipes import load_recipe

MEMBER = {"file": "fold_0.safetensors", "sha256": "0" * 64}
CHALLENGE = load_challenge("brats2023-gli")


def small_branch(patch=(6, 7, 8), channels=("t1c", "t2f"), **branch) -> Branch:
    outputs = {"kind": "labels", "names": ["background", "NCR", "ED", "ET"]}
    content = {"outputs": outputs, "window": {"size": patch}, "members": [MEMBER]}
    return Branch.model_validate(content | {"channels": channels} | branch)


def small_rules(patch=(6, 7, 8), recipe="nnunet", overrides=None, batch=2, **branch) -> PatchRules:
    known = load_recipe(recipe, overrides)
    return PatchRules(
        branch=small_branch(patch, **branch),
        patch=patch,
        batch=batch,
        steps=known.steps,
        sampling=known.sampling,
        augmentation=known.augmentation,
        cascade=known.cascade,
    )


def write_scan(folder: Path, name: str, labels_xyz, image_cxyz=None, affine=None) -> LabelledCase:
    """Write a case of two channels and its label map; by default random intensities above 0."""
    shape = np.shape(labels_xyz)
    if image_cxyz is None:
        image_cxyz = np.random.default_rng(len(name)).uniform(1, 100, (2, *shape))
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) if affine is None else affine
    scan = scan_of(folder, name)
    scan.label.parent.mkdir(parents=True, exist_ok=True)
    for file, array in zip((*scan.case.files.values(), scan.label), (*image_cxyz, labels_xyz), strict=True):
        stored = np.asarray(array, dtype=np.uint16 if file == scan.label else np.float32)
        nib.save(nib.Nifti1Image(stored, affine), file)
    return scan


def scan_of(folder: Path, name: str) -> LabelledCase:
    """The files of a case."""
    files = {channel: folder / name / f"{name}-{channel}.nii.gz" for channel in ("t1c", "t2f")}
    return LabelledCase(Case(name, files, "t1c"), folder / name / f"{name}-seg.nii.gz", name)


def cache_of(
    folder: Path, scans: list[LabelledCase], rules: CacheRules | None = None
) -> tuple[CachedCase, ...]:
    """Prepare scans and open them."""
    rules = rules or CacheRules(small_branch(), CHALLENGE)
    outcomes = list(prepare_cases(scans, rules, folder))
    assert [outcome.error for outcome in outcomes] == [None] * len(scans)
    return open_cache(folder, [scan.name for scan in scans], rules)
