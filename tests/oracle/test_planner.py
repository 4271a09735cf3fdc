"""Plans of segcube against those of nnU-Net's own planners, field by field, for synthetic fingerprints."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segcube.importers import ImportOptions
from segcube.importers.options import Target
from segcube.spec.challenges import Challenge
from segcube.training.plan import CaseFingerprint, Fingerprint, Intensities, Plan, import_plans, make_plan
from segcube.training.recipes import load_recipe

PLANNERS = {
    "nnunet": "ExperimentPlanner",
    "resenc-m": "nnUNetPlannerResEncM",
    "resenc-l": "nnUNetPlannerResEncL",
    "resenc-xl": "nnUNetPlannerResEncXL",
}
"""By recipe."""
REGIONS = {"WT": ["ED", "NCR", "ET"], "TC": ["NCR", "ET"], "ET": ["ET"]}


@dataclass(frozen=True)
class DataSet:
    """What a synthetic fingerprint is drawn from."""

    name: str
    shape: tuple[int, int, int]
    """Along x, y, z, before cropping."""
    spacing: tuple[float, float, float]
    cases: int = 40
    jitter: float = 0.0
    """Largest relative difference of a case's shape and spacing."""
    crop: float = 1.0
    """Share of each axis that is left after cropping."""
    channels: tuple[str, ...] = ("t1",)
    labels: int = 2
    """0: regions of a tumour."""


def drawn_at_random(number: int) -> DataSet:
    """A data set of any kind, from many and isotropic to few and anisotropic."""
    rng = np.random.default_rng(number)
    coarse = float(rng.choice([1.0, 1.0, 1.5, 2.5, 5.0, 10.0]))
    fine = float(rng.uniform(0.3, 2))
    spacing = [fine, fine * float(rng.choice([1.0, 1.0, 1.3])), fine * coarse]
    shape = [*rng.integers(40, 640, 2).tolist(), int(rng.integers(10, 400))]
    order = rng.permutation(3)
    return DataSet(
        name=f"random {number}",
        shape=tuple(shape[axis] for axis in order),
        spacing=tuple(spacing[axis] for axis in order),
        cases=int(rng.integers(1, 1500)),
        jitter=float(rng.choice([0.0, 0.1, 0.4])),
        crop=float(rng.uniform(0.5, 1)),
        channels=("T1", "CT", "zscore", "noNorm", "rescale_to_0_1")[: int(rng.integers(1, 6))],
        labels=int(rng.integers(0, 9)),
    )


DATA_SETS = (
    DataSet("brats", (240, 240, 155), (1, 1, 1), 1251, 0.02, 0.65, ("T1", "T1ce", "T2", "FLAIR"), 0),
    DataSet("brats, equal cases", (240, 240, 155), (1, 1, 1), 60, crop=0.7, channels=("T1", "T2"), labels=3),
    DataSet("atria", (640, 640, 44), (0.625, 0.625, 2.5), 70, labels=3),
    DataSet("thick slices", (256, 216, 10), (1.5625, 1.5625, 10), 100, 0.3, labels=3),
    DataSet("thick slices along y", (320, 12, 320), (0.7, 8, 0.7), 100, 0.2),
    DataSet("abdominal ct", (512, 512, 320), (0.78, 0.78, 2.0), 300, 0.3, 0.9, ("CT",), 13),
    DataSet("prostate", (320, 320, 20), (0.6, 0.6, 3.6), 32, 0.1, channels=("T2", "ADC")),
    DataSet("hippocampus", (36, 50, 35), (1, 1, 1), 260, 0.1),
    DataSet("tiny", (18, 20, 16), (1, 1, 1), 4),
    DataSet("tiny and anisotropic", (24, 28, 6), (1, 1, 4), 12),
    DataSet("cube", (256, 256, 256), (1, 1, 1), 30),
    DataSet("large cube", (512, 512, 512), (0.5, 0.5, 0.5), 20, channels=("T1", "T2")),
    DataSet("one case", (200, 160, 180), (0.9, 0.9, 1.1), 1),
    DataSet("long", (96, 90, 900), (2, 2, 1), 50, 0.1, labels=5),
    DataSet("colours", (300, 280, 60), (1, 1, 2), 25, channels=("rgb_to_0_1", "R"), labels=1),
    *map(drawn_at_random, range(15)),
)


def fingerprint_of(data: DataSet) -> Fingerprint:
    """Draw the cases."""
    rng = np.random.default_rng(len(data.name) + data.cases)
    cases = []
    for number in range(data.cases):
        factor = 1 + data.jitter * rng.uniform(-1, 1, 3)
        shape = [max(int(length * f), 4) for length, f in zip(data.shape, factor, strict=True)]
        cropped = [max(int(length * data.crop), 4) for length in shape]
        spacing = [float(s / f) for s, f in zip(data.spacing, factor, strict=True)]
        cases.append(
            CaseFingerprint(
                name=f"case_{number:04d}",
                shape=shape,
                spacing=spacing,
                orientation="LPS",
                cropped_shape=cropped,
                label_voxels={},
            )
        )
    numbers = ("mean", "median", "std", "min", "max", "percentile_00_5", "percentile_99_5")
    intensities = [
        Intensities(**dict(zip(numbers, (120.0 + n, 110, 35.5, -90, 900, 60, 190), strict=True)))
        for n in range(len(data.channels))
    ]
    return Fingerprint(channels=data.channels, cases=cases, intensities=intensities)


def challenge_of(data: DataSet) -> Challenge:
    labels = {"background": 0} | (
        {f"label{value}": value for value in range(1, data.labels + 1)}
        if data.labels
        else {"ED": 1, "NCR": 2, "ET": 3}
    )
    regions = {name: [name] for name in labels if name != "background"} if data.labels else REGIONS
    painted = {"WT": "ED", "TC": "NCR", "ET": "ET"}
    content = {
        "key": "synthetic",
        "title": "Synthetic",
        "case": r"case_\d{4}",
        "made_case": "case_{number:04d}",
        "layout": "walk",
        "channels": [{"name": name, "suffixes": [f"_{n:04d}"]} for n, name in enumerate(data.channels)],
        "reference": data.channels[0],
        "labels": labels,
        "regions": regions,
        "scored": list(regions),
        "write": [{"region": name, "label": painted.get(name, name)} for name in regions],
        "geometry": {"fixed": False, "grids": [{"shape": [10, 10, 10], "spacing": [1.0, 1.0, 1.0]}]},
    }
    return Challenge.model_validate(content)


def task_of(data: DataSet, planner: str, out: Path) -> dict[str, Any]:
    """The same fingerprint and data set as nnU-Net writes them, axes z, y, x."""
    fingerprint, challenge = fingerprint_of(data), challenge_of(data)
    regions = {name: challenge.region_values(name) for name in challenge.regions}
    order = {"regions_class_order": [challenge.labels[paint.label] for paint in challenge.write]}
    return {
        "planner": planner,
        "out": str(out),
        "fingerprint": {
            "spacings": [case.spacing[::-1] for case in fingerprint.cases],
            "shapes_after_crop": [case.cropped_shape[::-1] for case in fingerprint.cases],
            "median_relative_size_after_cropping": fingerprint.cropped_share,
            "foreground_intensity_properties_per_channel": {
                str(n): found.model_dump() for n, found in enumerate(fingerprint.intensities)
            },
        },
        "dataset": {
            "channel_names": {str(n): name for n, name in enumerate(data.channels)},
            "labels": challenge.labels if data.labels else {"background": 0} | regions,
            **({} if data.labels else order),
            "numTraining": data.cases,
            "file_ending": ".nii.gz",
            "overwrite_image_reader_writer": "SimpleITKIO",
            "dataset": {"case": {"images": ["case_0000.nii.gz"], "label": "case.nii.gz"}},
        },
    }


def name_of(data: DataSet) -> str:
    return data.name


@pytest.fixture(scope="module")
def plans(oracle, tmp_path_factory) -> dict[tuple[str, str], Path]:
    """nnU-Net's plans.json by data set and recipe; one process makes all of them."""
    root = tmp_path_factory.mktemp("plans")
    files, tasks = {}, []
    for data in DATA_SETS:
        for recipe, planner in PLANNERS.items():
            folder = root / "plans" / f"{data.name}-{recipe}"
            folder.mkdir(parents=True)
            files[data.name, recipe] = folder / "plans.json"
            tasks.append(task_of(data, planner, folder / "plans.json"))
            (folder / "dataset.json").write_text(json.dumps(tasks[-1]["dataset"]))
    file = root / "tasks.json"
    file.write_text(json.dumps(tasks))
    oracle.run("planner.py", file)
    return files


def fields_of(plan: Any, batch_dice: bool) -> dict[str, Any]:
    """A resolution of a plan with nnU-Net's names."""
    kept = ("n_stages", "features_per_stage", "kernel_sizes", "strides", "n_conv_per_stage_decoder")
    more = ("n_conv_per_stage", "n_blocks_per_stage", "conv_op", "conv_bias", "norm_op", "norm_op_kwargs")
    others = ("nonlin", "nonlin_kwargs", "dropout_op", "dropout_op_kwargs")
    names = [name for name in kept + more + others if name in plan.arguments]
    return {
        "spacing": list(plan.spacing),
        "patch_size": list(plan.patch),
        "batch_size": plan.batch,
        "median_image_size_in_voxels": list(plan.median_shape),
        "batch_dice": batch_dice,
        "arch_kwargs": {name: plan.arguments[name] for name in names},
    }


def expected_fields(configuration: dict[str, Any]) -> dict[str, Any]:
    names = ("spacing", "patch_size", "batch_size", "median_image_size_in_voxels", "batch_dice")
    found = {name: configuration[name] for name in names}
    return found | {"arch_kwargs": configuration["architecture"]["arch_kwargs"]}


def normalization_of(plan: Plan, channel: int) -> tuple[str, bool]:
    """nnU-Net's scheme, and whether it uses a mask."""
    names = {
        "zscore": "ZScore",
        "ct": "CT",
        "none": "No",
        "rescale01": "RescaleTo01",
        "rgb01": "RGBTo01",
    }
    found = plan.branch.normalize_of(channel)
    return f"{names[found.scheme]}Normalization", found.mask == "foreground"


@pytest.mark.parametrize("recipe", PLANNERS)
@pytest.mark.parametrize("data", DATA_SETS, ids=name_of)
def test_the_plan_is_nnunets(data, recipe, plans):
    file = plans[data.name, recipe]
    expected = json.loads(file.read_text())
    full = expected["configurations"]["3d_fullres"]

    plan = make_plan(fingerprint_of(data), challenge_of(data), load_recipe(recipe))

    low = expected["configurations"].get("3d_lowres")
    assert fields_of(plan, plan.batch_dice) == expected_fields(full)
    assert (plan.lowres and fields_of(plan.lowres, False)) == (low and expected_fields(low))
    assert plan.branch.axes == "".join("zyx"[axis] for axis in expected["transpose_forward"])
    assert full["architecture"]["network_class_name"].endswith(f".{plan.network}")
    found = [normalization_of(plan, channel) for channel in range(len(data.channels))]
    assert found == list(zip(full["normalization_schemes"], full["use_mask_for_norm"], strict=True))


@pytest.mark.parametrize("data", DATA_SETS, ids=name_of)
def test_imported_plans_equal_planned_ones(data, plans):
    recipe, challenge = load_recipe("nnunet"), challenge_of(data)
    options = ImportOptions(target=Target(challenge), name="oracle")

    imported = import_plans(plans[data.name, "nnunet"], options, recipe)

    planned = make_plan(fingerprint_of(data), challenge, recipe)
    # nnU-Net's reader leaves scans as stored, which all of these cases share
    branch = planned.branch.model_copy(update={"orientation": "native"})
    differing = {"branch": branch, "origin": imported.origin}
    assert normalized(imported) == normalized(planned.model_copy(update=differing))


def normalized(plan: Plan) -> dict[str, Any]:
    """All values, with a normalization for each channel."""
    content = plan.model_dump(mode="json")
    channels = range(len(plan.branch.channels))
    content["branch"]["normalize"] = [plan.branch.normalize_of(n).model_dump(mode="json") for n in channels]
    return content
