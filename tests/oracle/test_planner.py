"""Plans of segcube against those of nnU-Net's own planners, field by field, for synthetic fingerprints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from segcube.importers import ImportOptions
from segcube.importers.nnunet.slices import to_three_dimensions
from segcube.importers.options import Target
from segcube.training.plan import Plan, import_plans, make_plan
from segcube.training.recipes import load_recipe

from .data_sets import DATA_SETS, DataSet, challenge_of, fingerprint_of

PLANNERS = {
    "nnunet": "ExperimentPlanner",
    "resenc-m": "nnUNetPlannerResEncM",
    "resenc-l": "nnUNetPlannerResEncL",
    "resenc-xl": "nnUNetPlannerResEncXL",
}
"""By recipe."""
HEAD = "recipe | nnU-Net's planner | plans | with a low resolution | fields compared | fields that differ"


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


@pytest.fixture(scope="module")
def tallies(tabulate) -> Iterator[dict[str, list[tuple[bool, int, int]]]]:
    """By recipe, of each plan: whether it has a low resolution, fields compared, fields that differ."""
    found: dict[str, list[tuple[bool, int, int]]] = {recipe: [] for recipe in PLANNERS}
    yield found
    for recipe, rows in found.items():
        if rows:
            low, compared, differ = (sum(numbers) for numbers in zip(*rows, strict=True))
            row = f"{recipe} | {PLANNERS[recipe]} | {len(rows)} | {low} | {compared} | {differ}"
            tabulate("planner.md", HEAD, row)


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


def flat(fields: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Fields of all depths by their path."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def slice_fields(plan: Plan) -> dict[str, Any]:
    """A plan of slices; nnU-Net has neither spacing nor length across them."""
    found = fields_of(plan, plan.batch_dice)
    median = [1, *found["median_image_size_in_voxels"][1:]]
    return found | {"spacing": found["spacing"][1:], "median_image_size_in_voxels": median}


def planned_fields(plan: Plan, slices: Plan, data: DataSet) -> dict[str, Any]:
    schemes = [normalization_of(plan, channel) for channel in range(len(data.channels))]
    found = {
        "full": fields_of(plan, plan.batch_dice),
        "low": fields_of(plan.lowres, False) if plan.lowres else None,
        "2d": slice_fields(slices),
        "axes": plan.branch.axes,
        "network": plan.network,
    }
    return flat(found | {f"normalization {channel}": scheme for channel, scheme in enumerate(schemes)})


def nnunet_fields(plans: dict[str, Any]) -> dict[str, Any]:
    full, low = (plans["configurations"].get(name) for name in ("3d_fullres", "3d_lowres"))
    slices = to_three_dimensions(plans["configurations"]["2d"])
    schemes = zip(full["normalization_schemes"], full["use_mask_for_norm"], strict=True)
    found = {
        "full": expected_fields(full),
        "low": low and expected_fields(low),
        "2d": {**expected_fields(slices), "spacing": slices["spacing"][1:]},
        "axes": "".join("zyx"[axis] for axis in plans["transpose_forward"]),
        "network": full["architecture"]["network_class_name"].rpartition(".")[2],
    }
    return flat(found | {f"normalization {channel}": scheme for channel, scheme in enumerate(schemes)})


@pytest.mark.parametrize("recipe", PLANNERS)
@pytest.mark.parametrize("data", DATA_SETS, ids=name_of)
def test_the_plan_is_nnunets(data, recipe, plans, tallies):
    expected = nnunet_fields(json.loads(plans[data.name, recipe].read_text()))
    plan = make_plan(fingerprint_of(data), challenge_of(data), load_recipe(recipe))
    recipe_2d = load_recipe(recipe, {"planning": {"resolution": "2d"}})
    slices = make_plan(fingerprint_of(data), challenge_of(data), recipe_2d)
    found = planned_fields(plan, slices, data)
    names = found.keys() | expected.keys()
    differing = sum(found.get(name, name) != expected.get(name, name) for name in names)
    tallies[recipe].append((plan.lowres is not None, len(names), differing))
    assert found == expected


@pytest.mark.parametrize("data", DATA_SETS[:3], ids=name_of)
def test_imported_plans_of_slices_equal_planned_ones(data, plans):
    recipe = load_recipe("nnunet", {"planning": {"resolution": "2d"}})
    challenge = challenge_of(data)
    options = ImportOptions(target=Target(challenge), name="oracle")
    imported = import_plans(plans[data.name, "nnunet"], options, recipe, "2d")
    planned = make_plan(fingerprint_of(data), challenge, recipe)
    assert imported.branch.spacing == planned.branch.spacing
    for name in ("network", "arguments", "patch", "batch", "batch_dice", "spacing"):
        assert getattr(imported, name) == getattr(planned, name), name
    assert imported.branch.flips == planned.branch.flips


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
