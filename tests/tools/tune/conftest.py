from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from segcube.core import Box, bounding_box
from segcube.evaluation.metrics import dice
from segcube.spec.challenges import load_challenge
from segcube.tools.tune.cases import TuningCase
from segcube.tools.tune.objective import CaseObjective

NAMES = ("TC", "WT", "ET")


@pytest.fixture
def glioma():
    return load_challenge("brats2023-gli")


@pytest.fixture
def overlap(glioma):
    """Score the regions of a case by their Dice, and count the calls."""

    def of(case):
        def score(region, found_xyz):
            of.calls += 1
            values = [glioma.labels[label] for label in glioma.regions[region]]
            return dice(np.isin(found_xyz, values), np.isin(case.reference_xyz, values))

        return score

    of.calls = 0
    return of


@pytest.fixture
def make_case(glioma):
    """Make a case of edema alone: a box, and a WT probability inside of it, around it, and in specks."""

    def make(name="BraTS-GLI-00001-000", inside=0.35, around=0.05, specks=0.0, members=None):
        reference_xyz = np.zeros((16, 12, 10), np.uint8)
        reference_xyz[2:8, 2:8, 2:8] = glioma.labels["ED"]
        whole_xyz = np.where(reference_xyz > 0, inside, around).astype(np.float16)
        whole_xyz[11:15:2, 2:11:2, 2:9:2] = max(specks, around)
        merged_kxyz = np.zeros((3, 16, 12, 10), np.float16)
        merged_kxyz[NAMES.index("WT")] = whole_xyz
        members_mkxyz = np.stack([merged_kxyz, *(() if members is None else members)])
        mean_kxyz = members_mkxyz.astype(np.float32).sum(axis=0) / np.float32(len(members_mkxyz))
        return TuningCase(
            name,
            NAMES,
            "regions",
            mean_kxyz,
            members_mkxyz,
            ((1.0,) * 3,) * len(members_mkxyz),
            reference_xyz,
            (1.0, 1.0, 1.0),
        )

    return make


@pytest.fixture
def scores_of(glioma, overlap):
    """Score some cases at points of a search space."""

    def make(space, *cases):
        objectives = [CaseObjective(case, glioma, overlap(case)) for case in cases]

        def score_cases(point, chosen):
            rules, weights = space.rules_at(point), space.weights_at(point)
            return [objectives[index].scores(rules, weights) for index in chosen]

        return score_cases

    return make


@pytest.fixture
def save():
    """Save probabilities as `infer --save-probabilities` lays them out, inside the box of what is not 0."""

    def write(file, probabilities_kxyz, names=NAMES, kind="regions", affine=None, dtype=np.float32):
        shape = probabilities_kxyz.shape[1:]
        found_xyz = (probabilities_kxyz[kind == "labels" :] > 0).any(axis=0)
        box = bounding_box(found_xyz) or Box((0, 0, 0), (0, 0, 0))
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            file,
            probabilities_kxyz=box.apply(probabilities_kxyz.astype(dtype)),
            names=np.array(names),
            kind=np.array(kind),
            box_start=np.array(box.start),
            box_stop=np.array(box.stop),
            shape=np.array(shape),
            affine=np.eye(4) if affine is None else affine,
        )
        return file

    return write


@pytest.fixture
def save_labels():
    """Save a label map as NIfTI."""

    def write(file, labels_xyz, affine=None):
        file.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(labels_xyz.astype(np.uint8), np.eye(4) if affine is None else affine), file)
        return file

    return write
