"""Augmentation by batchgeneratorsv2 with given parameters, and parameters that it draws: npz in and out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
from batchgeneratorsv2.transforms.intensity.contrast import BGContrast, ContrastTransform
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
from batchgeneratorsv2.transforms.nnunet.random_binary_operator import (
    ApplyRandomBinaryOperatorTransform,
    binary_closing_torch,
    binary_dilation_torch,
    binary_erosion_torch,
    binary_opening_torch,
)
from batchgeneratorsv2.transforms.nnunet.remove_connected_components import (
    RemoveRandomConnectedComponentFromOneHotEncodingTransform,
)
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform
from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
from batchgeneratorsv2.transforms.utils.nnunet_masking import MaskImageTransform
from batchgeneratorsv2.transforms.utils.pseudo2d import Convert2DTo3DTransform, Convert3DTo2DTransform
from batchgeneratorsv2.transforms.utils.random import RandomTransform
from nnunetv2.training.data_augmentation.compute_initial_patch_size import get_patch_size
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

DRAWS = 3000
CONTRAST, GAMMA = BGContrast((0.75, 1.25)), BGContrast((0.7, 1.5))


def spatial(image: np.ndarray, labels: np.ndarray, request: dict) -> dict[str, np.ndarray]:
    """A patch at the image's centre, by nnU-Net's settings; `dummy_2d` folds the first axis into channels."""
    data = {"image": torch.from_numpy(image), "segmentation": torch.from_numpy(labels)[None]}
    patch, angles, factors = request["patch"], request["angles"], request["factors"]
    if request["dummy_2d"]:
        data = Convert3DTo2DTransform()(**data)
        # In two dimensions the last of the two angles counts
        patch, angles, factors = patch[1:], [None, angles[0]], factors[1:]
    elastic = request["elastic"]
    transform = SpatialTransform(
        patch,
        patch_center_dist_from_border=0,
        random_crop=False,
        p_elastic_deform=bool(elastic),
        elastic_deform_scale=lambda dim, **_: elastic["scale"][dim],
        elastic_deform_magnitude=lambda dim, **_: elastic["magnitude"][dim],
        p_rotation=request["rotates"],
        rotation=lambda dim, **_: angles[dim],
        p_scaling=request["scales"],
        scaling=lambda dim, **_: factors[dim],
        border_mode_seg="constant",
        padding_value_seg=-1,
    )
    torch.manual_seed(0)
    parameters = transform.get_parameters(**data)
    data = transform.apply(data, **parameters)
    if request["dummy_2d"]:
        data = Convert2DTo3DTransform()(**data)
    if request["mirrored"]:
        data = MirrorTransform((0, 1, 2)).apply(data, axes=request["mirrored"])
    torch.manual_seed(0)
    normal = torch.normal(mean=0, std=1, size=(3, *request["patch"])) if elastic else torch.zeros(0)
    return {"image": data["image"], "labels": data["segmentation"][0], "normal": normal}


def intensity(image: np.ndarray, request: dict) -> torch.Tensor:
    """One transform of an image with given parameters, on all channels."""
    data = torch.from_numpy(image.copy())
    every = torch.arange(len(data))
    values = request["values"]
    match request["kind"]:
        case "noise":
            torch.manual_seed(0)
            transform = GaussianNoiseTransform((0, 0.1), p_per_channel=1, synchronize_channels=True)
            parameters = {"apply_idx": every, "num_apply": len(data), "sigmas": values}
        case "blur":
            transform = GaussianBlurTransform((0.5, 1), benchmark=True)
            parameters = {"apply_to_channel": torch.ones(len(data), dtype=bool), "sigmas": values}
        case "brightness":
            transform = MultiplicativeBrightnessTransform(CONTRAST, synchronize_channels=False)
            parameters = {"apply_to_channel": every, "multipliers": torch.tensor(values)}
        case "contrast":
            transform = ContrastTransform(CONTRAST, preserve_range=True, synchronize_channels=False)
            parameters = {"apply_to_channel": every, "multipliers": torch.tensor(values)}
        case "low_resolution":
            ignored = (0,) if request["dummy_2d"] else None
            transform = SimulateLowResolutionTransform((0.5, 1), False, True, ignored)
            scales = torch.tensor([[value] * 3 for value in values])
            if ignored:
                scales[:, ignored] = 1
            parameters = {"apply_to_channel": every, "scales": scales}
        case "gamma" | "gamma of the negative":
            invert = request["kind"] != "gamma"
            transform = GammaTransform(GAMMA, invert, False, 1, 1)
            flags = {"retain_stats": torch.ones(len(data)), "invert_image": torch.full((len(data),), invert)}
            parameters = {"apply_to_channel": every, "gamma": torch.tensor(values), **flags}
    return transform._apply_to_image(data, **parameters)


def masked(image: np.ndarray, labels: np.ndarray) -> torch.Tensor:
    """All channels but the second, 0 where the label is negative."""
    data = {"image": torch.from_numpy(image.copy()), "segmentation": torch.from_numpy(labels)[None]}
    channels = [channel for channel in range(len(image)) if channel != 1]
    return MaskImageTransform(channels)(**data)["image"]


def trainer_transforms(patch: tuple[int, int, int]) -> list:
    """The transforms of nnU-Net's trainer for a patch."""
    flat = max(patch) / patch[0] > 3
    turn = (-np.pi, np.pi) if flat else (-np.pi / 6, np.pi / 6)
    return nnUNetTrainer.get_training_transforms(
        patch, turn, None, (0, 1, 2), flat, use_mask_for_norm=[True, True]
    ).transforms


def described(patch: tuple[int, int, int]) -> list[dict]:
    """Each transform of the trainer in order: its class, probability and settings that are plain values."""
    found = []
    for transform in trainer_transforms(patch):
        p = None
        if isinstance(transform, RandomTransform):
            p, transform = transform.apply_probability, transform.transform
        settings = {
            name: value.contrast_range if isinstance(value, BGContrast) else value
            for name, value in vars(transform).items()
            if isinstance(value, int | float | str | tuple | BGContrast)
        }
        found.append({"kind": type(transform).__name__, "p": p, "settings": settings})
    return found


def drawn(patch: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """Parameters that the trainer's transforms draw: affine matrices, mirrored axes, factors of each channel.

    NaN where a transform leaves a channel.
    """
    np.random.seed(0)
    torch.manual_seed(0)
    image = torch.zeros((3, *patch))
    transforms = {type(transform).__name__: transform for transform in trainer_transforms(patch)}
    space, mirror = transforms["SpatialTransform"], transforms["MirrorTransform"]
    flat = {"image": image[:, 0]} if len(space.patch_size) == 2 else {"image": image}
    found: dict[str, list] = {"affine": [], "mirror": []}
    size = len(space.patch_size)
    for _ in range(DRAWS):
        affine = space.get_parameters(**flat)["affine"]
        found["affine"].append(np.full((size, size), np.nan) if affine is None else affine)
        axes = mirror.get_parameters(**flat)["axes"]
        found["mirror"].append([float(axis in axes) for axis in range(3)])
    for place, transform in enumerate(trainer_transforms(patch)):
        if isinstance(transform, RandomTransform):
            found[f"{type(transform.transform).__name__} {place}"] = [
                values_of(transform, image) for _ in range(DRAWS)
            ]
    return {name: np.array(values, dtype=np.float64) for name, values in found.items()}


def values_of(random: RandomTransform, image: torch.Tensor) -> np.ndarray:
    """What a transform of one sample draws, of each channel and, for a blur, of each axis."""
    transform = random.transform
    shape = (len(image), 3) if isinstance(transform, GaussianBlurTransform) else (len(image),)
    values = np.full(shape, np.nan)
    if not random.get_parameters()["apply_transform"]:
        return values
    parameters = transform.get_parameters(image=image)
    if isinstance(transform, GaussianNoiseTransform):
        values[:] = parameters["sigmas"]
    elif isinstance(transform, GaussianBlurTransform):
        values[np.flatnonzero(parameters["apply_to_channel"])] = np.array(parameters["sigmas"]).reshape(-1, 3)
    else:
        name = next(name for name in ("multipliers", "scales", "gamma") if name in parameters)
        found = parameters[name].numpy()
        values[np.asarray(parameters["apply_to_channel"], dtype=int)] = (
            found[:, -1] if name == "scales" and len(found) else found.reshape(-1)
        )
    return values


def mask(labels: np.ndarray, request: dict) -> torch.Tensor:
    """A label map whose one-hot channels were changed by the cascade's transforms, with given parameters."""
    channels = list(range(1, int(labels.max()) + 1))
    image = torch.from_numpy(np.stack([labels == label for label in channels]).astype(np.float32))
    every = list(range(len(channels)))
    if request["operator"] == "remove":
        transform = RemoveRandomConnectedComponentFromOneHotEncodingTransform(every, 0, 0.15)
        image = transform.apply({"image": image}, apply_to_channels=[request["label"] - 1])["image"]
    else:
        operators = {
            "dilate": binary_dilation_torch,
            "erode": binary_erosion_torch,
            "close": binary_closing_torch,
            "open": binary_opening_torch,
        }
        image = ApplyRandomBinaryOperatorTransform(every).apply(
            {"image": image},
            apply_to_channels=[request["label"] - 1],
            operators=[operators[request["operator"]]],
            strel_size=[request["radius"]],
        )["image"]
    return sum(label * image[index] for index, label in enumerate(channels))


def main(folder: Path) -> None:
    requests = json.loads((folder / "requests.json").read_text())
    arrays = np.load(folder / "arrays.npz")
    results: dict[str, np.ndarray] = {}
    for number, request in enumerate(requests["spatial"]):
        shape = request["image"]
        for name, value in spatial(arrays[f"image {shape}"], arrays[f"labels {shape}"], request).items():
            results[f"spatial {number} {name}"] = value.numpy()
    for number, request in enumerate(requests["intensity"]):
        results[f"intensity {number}"] = intensity(arrays["image 0"], request).numpy()
    for number, request in enumerate(requests["masks"]):
        results[f"mask {number}"] = mask(arrays["mask"], request).numpy()
    results["masked"] = masked(arrays["image 0"], arrays["labels 0"]).numpy()
    for number, patch in enumerate(requests["patches"]):
        results.update({f"drawn {number} {name}": value for name, value in drawn(tuple(patch)).items()})
    np.savez(folder / "results.npz", **results)
    sizes = [
        get_patch_size(size, *[(-np.deg2rad(degrees), np.deg2rad(degrees))] * 3, (0.85, 1.25)).tolist()
        for size, degrees in requests["initial"]
    ]
    described_ = [described(tuple(patch)) for patch in requests["patches"]]
    (folder / "results.json").write_text(json.dumps({"initial": sizes, "described": described_}))


main(Path(sys.argv[1]))
