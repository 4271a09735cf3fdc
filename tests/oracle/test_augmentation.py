"""Augmentation against batchgeneratorsv2: the same parameters give the same patch, and are drawn as often."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from segcube.training.augment import intensity, resolution
from segcube.training.augment.affine import rotate_and_scale
from segcube.training.augment.cut import Patch, cut_patch
from segcube.training.augment.draws import draw_for_samples, sample_rngs
from segcube.training.augment.grid import PatchGrid
from segcube.training.augment.interpolate import interpolate_by_grid
from segcube.training.augment.labels import TIE, LabelSampler
from segcube.training.augment.masks import apply_operator, remove_components
from segcube.training.augment.spatial import ElasticDraw, SpatialDraw, displacement, draw_spatial
from segcube.training.cache import CaseTensors
from segcube.training.keys import StepKey
from segcube.training.patches import OUTSIDE, initial_patch, is_dummy_2d
from segcube.training.recipes import (
    Blur,
    ComponentRemoval,
    IntensityTransform,
    LowResolution,
    Noise,
    Spatial,
    load_recipe,
)

TOLERANCE = 1e-4
DRAWS = 3000
SIGNIFICANCE = 1e-3
"""Of a difference between distributions; draws have fixed seeds, so the result is the same in every run."""
HEAD = "transform | parameters | largest difference of the image | labels that differ | without a tie"
PATCHES = [(24, 20, 28), (6, 24, 20)]
IMAGES = [(34, 30, 40), (6, 40, 36)]
INITIAL = [
    ((128, 128, 128), 30),
    ((128, 160, 112), 30),
    ((96, 160, 160), 30),
    ((20, 256, 256), 180),
    ((28, 256, 224), 180),
    ((40, 56, 40), 0),
]


def space(angles=(0, 0, 0), factors=(1, 1, 1), mirrored=(), elastic=None, image=0):
    return {
        "image": image,
        "patch": PATCHES[image],
        "dummy_2d": image == 1,
        "angles": angles,
        "factors": factors,
        "rotates": any(angles),
        "scales": factors != (1, 1, 1),
        "mirrored": mirrored,
        "elastic": elastic,
    }


SPATIAL = [
    space(),
    space(mirrored=(0, 2)),
    space(angles=(0.3, -0.4, 0.5)),
    space(angles=(0.5, 0.1, -0.2), mirrored=(1,)),
    space(factors=(0.7, 0.7, 0.7)),
    space(factors=(1.4, 1.4, 1.4)),
    space(angles=(-0.5, 0.5, 0.5), factors=(1.31, 1.31, 1.31), mirrored=(0, 1, 2)),
    space(angles=(0.2, 0.1, 0.3), elastic={"scale": (0.1, 0.2, 0.15), "magnitude": (2.0, 1.0, 3.0)}),
    space(elastic={"scale": (0.1, 0.2, 0.15), "magnitude": (2.0, 1.0, 3.0)}),
    space(image=1),
    space(image=1, angles=(2.3, 0, 0), mirrored=(0,)),
    space(image=1, angles=(-1.1, 0, 0), factors=(1, 0.83, 0.83)),
]
MASKS = [
    {"operator": "dilate", "label": 2, "radius": 3},
    {"operator": "dilate", "label": 1, "radius": 1},
    {"operator": "erode", "label": 1, "radius": 2},
    {"operator": "close", "label": 2, "radius": 4},
    {"operator": "open", "label": 1, "radius": 3},
    {"operator": "remove", "label": 3},
]
VALUES = [0.82, 1.17, 1.03]
INTENSITY = [
    {"kind": "noise", "values": 0.07},
    {"kind": "blur", "values": [[0.5, 0.75, 1.0], [0.61, 0.9, 0.93], [1.0, 0.5, 0.58]]},
    {"kind": "brightness", "values": VALUES},
    {"kind": "contrast", "values": VALUES},
    {"kind": "low_resolution", "values": [0.5, 0.77, 0.93], "dummy_2d": False},
    {"kind": "low_resolution", "values": [0.52, 0.8, 1.0], "dummy_2d": True},
    {"kind": "gamma", "values": VALUES},
    {"kind": "gamma of the negative", "values": VALUES},
]


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    """Images that half precision represents, and label maps with blocks of -1 to 3."""
    rng = np.random.default_rng(3)
    found = {}
    for number, shape in enumerate(IMAGES):
        image = rng.standard_normal((3, *shape)).astype(np.float16).astype(np.float32)
        blocks = rng.integers(-1, 4, [-(-size // 4) for size in shape], dtype=np.int16)
        labels = blocks.repeat(4, 0).repeat(4, 1).repeat(4, 2)[tuple(slice(size) for size in shape)]
        found |= {f"image {number}": image, f"labels {number}": labels}
    return found | {"mask": nested_mask()}


def nested_mask() -> np.ndarray:
    """A box of label 1 and a smaller one at the border, two balls of label 2, and a line of label 3."""
    mask = np.zeros((24, 26, 28), np.uint8)
    mask[4:20, 3:20, 5:23] = 1
    mask[0:3, 0:5, 0:6] = 1
    mask[8, 8, 8:12] = 3
    x, y, z = np.indices(mask.shape)
    mask[(x - 11) ** 2 + (y - 9) ** 2 + (z - 12) ** 2 <= 16] = 2
    mask[(x - 12) ** 2 + (y - 15) ** 2 + (z - 14) ** 2 <= 5] = 2
    return mask


@pytest.fixture(scope="module")
def reference(oracle, arrays, tmp_path_factory) -> SimpleNamespace:
    """What batchgeneratorsv2 makes of all requests; one process makes all of it."""
    folder: Path = tmp_path_factory.mktemp("augmentation")
    requests = {"spatial": SPATIAL, "intensity": INTENSITY, "patches": PATCHES, "initial": INITIAL}
    requests["masks"] = MASKS
    (folder / "requests.json").write_text(json.dumps(requests))
    np.savez(folder / "arrays.npz", **arrays)
    oracle.run("augmentation.py", folder)
    results = np.load(folder / "results.npz")
    return SimpleNamespace(
        arrays={name: results[name] for name in results.files},
        **json.loads((folder / "results.json").read_text()),
    )


@pytest.mark.parametrize("number", range(len(SPATIAL)))
def test_a_patch_is_batchgeneratorsv2s(number, arrays, reference, tabulate):
    request = SPATIAL[number]
    image, labels = (arrays[f"{name} {request['image']}"] for name in ("image", "labels"))
    stored = torch.from_numpy(np.where(labels < 0, OUTSIDE, labels).astype(np.uint8))
    case = CaseTensors(torch.from_numpy(image).half(), stored, (0, 1, 2, 3, OUTSIDE))
    matrix = None
    if request["rotates"] or request["scales"]:
        matrix = rotate_and_scale(request["angles"], request["factors"])
    elastic, field = None, None
    if request["elastic"]:
        sigmas = np.multiply(request["elastic"]["scale"], request["patch"])
        elastic = ElasticDraw(sigmas, np.array(request["elastic"]["magnitude"]))
        field = displacement(torch.from_numpy(reference.arrays[f"spatial {number} normal"]), elastic)
    centre = tuple((size - 1) / 2 for size in case.shape)
    grid = PatchGrid(request["patch"], centre, SpatialDraw(matrix, request["mirrored"], elastic))
    patch = Patch(torch.empty((3, *request["patch"])), torch.empty(request["patch"], dtype=torch.uint8))
    cut_patch(case, grid, load_recipe("nnunet").augmentation.spatial, field, patch)

    difference = np.abs(patch.image_cxyz.numpy() - reference.arrays[f"spatial {number} image"]).max()
    found = patch.labels_xyz.numpy().astype(np.int16)
    expected = reference.arrays[f"spatial {number} labels"]
    differ = np.where(found == OUTSIDE, -1, found) != expected
    decided = differ & (np.zeros_like(differ) if grid.draw.copies else leads(case, grid, field) > 2 * TIE)
    row = f"spatial | {parameters_of(request)} | {difference:.1e} | {differ.sum()} | {decided.sum()}"
    tabulate("augmentation.md", HEAD, row)
    assert difference <= TOLERANCE
    assert not decided.any()
    assert differ.sum() <= (0 if grid.draw.copies else 0.001 * differ.size)


def parameters_of(request: dict) -> str:
    elastic = request["elastic"] or {}
    found = {
        "turned by": request["angles"] if request["rotates"] else (),
        "times": request["factors"] if request["scales"] else (),
        "elastic of scale": elastic.get("scale", ()),
        "magnitude": elastic.get("magnitude", ()),
        "mirrored along axis": request["mirrored"],
    }
    parts = [f"{name} {numbers_of(values)}" for name, values in found.items() if len(values)]
    return "; ".join([*parts, *(["in slices"] if request["dummy_2d"] else [])]) or "none"


def numbers_of(values: Any) -> str:
    return ", ".join(map(str, np.ravel(values).tolist()))


def leads(case: CaseTensors, grid: PatchGrid, field: torch.Tensor | None) -> np.ndarray:
    """By how much the largest share of a label exceeds the second largest, for each voxel of a patch."""
    positions = grid.positions((0, 0, 0), torch.device("cpu"), field)
    sampler = LabelSampler(case.labels_xyz, case.present, OUTSIDE)
    masks = torch.stack([sampler.padded_xyz == label for label in sampler.present]).float()
    shares = torch.empty((len(masks), *grid.shape))
    interpolate_by_grid(masks, sampler._inside(positions), "zero", shares)
    first, second = shares.sort(dim=0, descending=True).values[:2]
    return (first - second).numpy()


@pytest.mark.parametrize("number", range(len(INTENSITY)))
def test_an_intensity_transform_is_batchgeneratorsv2s(number, arrays, reference, tabulate):
    request = INTENSITY[number]
    image = torch.from_numpy(arrays["image 0"].copy())[None]
    values = np.array([request["values"]])
    match request["kind"]:
        case "noise":
            generator = torch.Generator().manual_seed(0)
            intensity.add_noise(image, values, lambda _, shape: torch.randn(shape, generator=generator))
        case "blur":
            resolution.blur(image, values)
        case "brightness":
            intensity.multiply(image, values)
        case "contrast":
            intensity.change_contrast(image, values)
        case "low_resolution":
            resolution.lower_resolution(image, values, (0,) if request["dummy_2d"] else ())
        case kind:
            intensity.change_gamma(image, values, invert=kind != "gamma")
    difference = np.abs(image[0].numpy() - reference.arrays[f"intensity {number}"]).max()
    parameters = numbers_of(request["values"]) + ("; in slices" if request.get("dummy_2d") else "")
    kind = request["kind"].replace("_", " ")
    tabulate("augmentation.md", HEAD, f"{kind} | {parameters} | {difference:.1e} | |")
    assert np.abs(image[0].numpy() - arrays["image 0"]).max() > 0.01
    assert difference <= TOLERANCE


@pytest.mark.parametrize("number", range(len(MASKS)))
def test_a_mask_is_changed_as_in_nnunets_cascade(number, arrays, reference, tabulate):
    request = MASKS[number]
    mask = torch.from_numpy(arrays["mask"].copy())
    label, operator = request["label"], request["operator"]
    if operator == "remove":
        removal = ComponentRemoval(p=1, p_label=1)
        others = mask != label
        alone = mask.masked_fill(others, 0).clamp(max=1)
        remove_components(alone, removal, 1, np.random.default_rng(0))
        mask[~others & (alone == 0)] = 0
    else:
        apply_operator(mask, label, operator, request["radius"])
    differ = np.count_nonzero(mask.numpy() != reference.arrays[f"mask {number}"])
    radius = f", ball of {request['radius']}" if "radius" in request else ""
    tabulate(
        "augmentation.md",
        HEAD,
        f"mask of a cascade | {operator} label {label}{radius} | | {differ} | {differ}",
    )
    assert np.count_nonzero(mask.numpy() != arrays["mask"]) > 0
    assert differ == 0


def test_voxels_outside_are_set_to_zero_as_nnunet_does(arrays, reference):
    image = torch.from_numpy(arrays["image 0"].copy())[None]
    intensity.zero_outside(image, torch.from_numpy(arrays["labels 0"] < 0)[None], (0, 2))
    assert torch.equal(image[0], torch.from_numpy(reference.arrays["masked"]))


@pytest.mark.parametrize("number", range(len(INITIAL)))
def test_the_initial_patch_is_nnunets(number, reference):
    patch, degrees = INITIAL[number]
    spatial = Spatial.model_validate({"rotation": {"p": 1, "degrees": degrees, "degrees_2d": degrees}})
    expected = reference.initial[number]
    if is_dummy_2d(spatial, patch):
        expected[0] = patch[0]
    assert initial_patch(spatial, patch) == tuple(expected)


@pytest.mark.parametrize("number", range(len(PATCHES)))
def test_the_recipe_has_the_trainers_transforms_in_order(number, reference):
    """Probabilities, ranges and order; only that mirrors come first, with the interpolation."""
    found = {entry["kind"]: entry for entry in reference.described[number]}
    recipe = load_recipe("nnunet").augmentation
    settings = found["SpatialTransform"]["settings"]
    rotation, scaling = recipe.spatial.rotation, recipe.spatial.scaling
    flat = is_dummy_2d(recipe.spatial, PATCHES[number])
    assert flat == ("Convert3DTo2DTransform" in found)
    assert (rotation.p, scaling.p, 0) == tuple(
        settings[name] for name in ("p_rotation", "p_scaling", "p_elastic_deform")
    )
    degrees = rotation.degrees_2d if flat else rotation.degrees
    assert settings["rotation"] == pytest.approx((-np.deg2rad(degrees), np.deg2rad(degrees)))
    assert (tuple(settings["scaling"]), settings["p_synchronize_scaling_across_axes"]) == (scaling.factor, 1)
    assert (settings["border_mode_seg"], settings["padding_value_seg"]) == ("constant", -1)
    names = {
        "noise": ("GaussianNoiseTransform", "noise_variance", "sigma"),
        "blur": ("GaussianBlurTransform", "blur_sigma", "sigma"),
        "brightness": ("MultiplicativeBrightnessTransform", "multiplier_range", "factor"),
        "contrast": ("ContrastTransform", "contrast_range", "factor"),
        "low_resolution": ("SimulateLowResolutionTransform", "scale", "scale"),
        "gamma": ("GammaTransform", "gamma", "factor"),
    }
    theirs = [entry for entry in reference.described[number] if entry["p"] is not None]
    assert len(theirs) == len(recipe.intensity)
    for entry, transform in zip(theirs, recipe.intensity, strict=True):
        kind, setting, name = names[transform.kind]
        assert (entry["kind"], entry["p"]) == (kind, transform.p)
        assert tuple(entry["settings"][setting]) == getattr(transform, name)
        assert entry["settings"]["p_per_channel"] == getattr(transform, "p_channel", 1)
        assert entry["settings"].get("p_invert_image", 0) == getattr(transform, "invert", False)
    kinds = [entry["kind"] for entry in reference.described[number]]
    rest = [kind for kind in kinds[kinds.index("GammaTransform") :] if kind != "GammaTransform"]
    assert rest[:2] == ["MirrorTransform", "MaskImageTransform"]
    assert recipe.zero_outside


def transforms_of(matrices: np.ndarray) -> dict[str, np.ndarray]:
    """Angles about each axis and the factor of affine matrices (N, 3, 3), or of their plane (N, 2, 2)."""
    size = matrices.shape[-1]
    factor = np.linalg.det(matrices) ** (1 / size)
    turns = matrices / factor[:, None, None]
    if size == 2:
        return {"factor": factor, "x": np.arctan2(turns[:, 1, 0], turns[:, 0, 0])}
    return {
        "factor": factor,
        "x": np.arctan2(turns[:, 2, 1], turns[:, 2, 2]),
        "y": np.arcsin(-turns[:, 2, 0]),
        "z": np.arctan2(turns[:, 1, 0], turns[:, 0, 0]),
    }


def assert_equal_rates(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Shares of True within four deviations of their difference; an event of share 0 or 1 is so in both."""
    p = (ours.mean() + theirs.mean()) / 2
    assert abs(ours.mean() - theirs.mean()) <= 4 * np.sqrt(p * (1 - p) * (1 / ours.size + 1 / theirs.size))


def assert_equal_distributions(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert min(ours.size, theirs.size) > 100
    assert ks_2samp(ours, theirs).pvalue > SIGNIFICANCE


@pytest.mark.parametrize("number", range(len(PATCHES)))
def test_patches_are_turned_and_mirrored_as_often_and_as_far(number, reference):
    spatial = load_recipe("nnunet").augmentation.spatial
    draws = [
        draw_spatial(spatial, PATCHES[number], (0, 1, 2), StepKey(0, step).generator("spatial"))
        for step in range(DRAWS)
    ]
    theirs = reference.arrays[f"drawn {number} affine"]
    size = theirs.shape[-1]
    nothing = np.full((3, 3), np.nan)
    ours = np.array([nothing if draw.matrix is None else draw.matrix for draw in draws])[:, -size:, -size:]
    changed = [~np.isnan(matrices[:, 0, 0]) for matrices in (ours, theirs)]
    assert_equal_rates(*changed)
    found, expected = (
        transforms_of(matrices[rows]) for matrices, rows in zip((ours, theirs), changed, strict=True)
    )
    for name, values in expected.items():
        assert_equal_distributions(found[name], values)
        kept = [np.abs(one - (name == "factor")) < 1e-9 for one in (found[name], values)]
        assert_equal_rates(*kept)
    mirrored = np.array([[axis in draw.mirrored for axis in range(3)] for draw in draws])
    for axis in range(3):
        assert_equal_rates(mirrored[:, axis], reference.arrays[f"drawn {number} mirror"][:, axis] > 0)


def drawn_values(transform: IntensityTransform) -> np.ndarray:
    """What three channels of many samples draw: (N, 3), for a blur (N, 3, 3)."""
    rngs = sample_rngs(StepKey(1, 0), transform.kind, range(DRAWS))
    match transform:
        case Noise():
            return np.repeat(draw_for_samples(rngs, transform.p, transform.sigma)[:, None], 3, axis=1)
        case Blur():
            return resolution.draw_blur(transform, rngs, 3)
        case LowResolution():
            return resolution.draw_low_resolution(transform, rngs, 3)
        case _:
            return intensity.draw_factors(transform, rngs, 3)


@pytest.mark.parametrize("place", range(len(load_recipe("nnunet").augmentation.intensity)))
def test_intensities_are_changed_as_often_and_as_much(place, reference):
    transform = load_recipe("nnunet").augmentation.intensity[place]
    names = [name for name in reference.arrays if name.startswith("drawn 0 ") and name[-1].isdigit()]
    ours, theirs = drawn_values(transform), reference.arrays[names[place]]
    assert ours.shape == theirs.shape
    changed = [~np.isnan(values).reshape(DRAWS, 3, -1)[..., 0] for values in (ours, theirs)]
    for channels in range(4):
        assert_equal_rates(*[rows.sum(axis=1) == channels for rows in changed])
    assert_equal_distributions(ours[~np.isnan(ours)], theirs[~np.isnan(theirs)])
    assert share_one_value(ours) == share_one_value(theirs)


def share_one_value(values: np.ndarray) -> tuple[bool, bool]:
    """Whether the channels of a sample have equal values, and the axes of a channel."""
    flat = values.reshape(len(values), 3, -1)
    whole = flat[~np.isnan(flat).any(axis=(1, 2))]
    return bool((whole == whole[:, :1]).all()), bool((whole == whole[..., :1]).all())
