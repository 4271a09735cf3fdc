"""Read a trained nnU-Net: plans, dataset, checkpoints, and its network in `segcube.networks`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import torch

from segcube.core import EnvironmentFault, UsageError, read_json
from segcube.importers.checkpoint.reader import open_checkpoint
from segcube.importers.nnunet.plans import (
    Checkpoint,
    Configuration,
    Dataset,
    Plans,
    read_checkpoint,
    read_configuration,
    read_dataset,
    read_plans,
)
from segcube.importers.write import State

FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
Tree: TypeAlias = Mapping[str, Any]
EXPECTED = "a file of an nnU-Net v2 model folder"
WRAPPERS = ("module.", "_orig_mod.")
"""Prefixes that torch adds to a network on several devices or compiled."""


@dataclass(frozen=True)
class Weights:
    """The weights of one fold, loaded by `read`."""

    file: Path
    read: Callable[[], State]


@dataclass(frozen=True)
class Model:
    """One configuration of an nnU-Net, with what prediction depends on."""

    source: Path
    plans: Plans
    dataset: Dataset
    name: str
    """Name of the configuration."""
    configuration: Configuration
    trainer: str
    mirrors: tuple[int, ...]
    """Array axes that the checkpoint allows to mirror."""
    folds: Mapping[str, Weights]


def read_folder(folder: Path, folds: tuple[str, ...] = (), checkpoint: str = "final") -> Model:
    """Read a model folder: plans.json, dataset.json and fold_*/checkpoint_*.pth.

    folds: numbers or `all`; empty: every numbered fold, else fold_all, as in nnU-Net. checkpoint: final or
    best. Configuration and mirrors are those of the first fold. Raises EnvironmentFault for files that are
    missing, broken or not supported, UsageError for missing folds.
    """
    files = _checkpoints(folder, folds, f"checkpoint_{checkpoint}.pth")
    plans_file, dataset_file = folder / "plans.json", folder / "dataset.json"
    plans = read_plans(read_json(plans_file, EnvironmentFault, EXPECTED), plans_file)
    dataset = read_dataset(read_json(dataset_file, EnvironmentFault, EXPECTED), dataset_file)
    first = next(iter(files.values()))
    weights = {fold: Weights(file, partial(_load_state, file)) for fold, file in files.items()}
    return read_model(
        read_checkpoint(expect_checkpoint(open_checkpoint(first), first), first),
        plans,
        dataset,
        folder,
        weights,
    )


def read_model(
    saved: Checkpoint, plans: Plans, dataset: Dataset, source: Path, folds: Mapping[str, Weights]
) -> Model:
    """Combine a checkpoint, plans and a dataset.

    source: the folder or file that holds all three, for errors. Raises EnvironmentFault for unsupported
    settings, and for names of a configuration or fold that cannot be part of a file name.
    """
    name = saved.init_args.configuration
    _expect_file_names((name, *folds), source)
    return Model(
        source=source,
        plans=plans,
        dataset=dataset,
        name=name,
        configuration=read_configuration(plans, name, source),
        trainer=saved.trainer_name,
        mirrors=saved.inference_allowed_mirroring_axes or (),
        folds=folds,
    )


def state_of(checkpoint: Tree, file: Path) -> State:
    """Select the weights of a checkpoint, without prefixes. Raises EnvironmentFault for other entries."""
    weights = checkpoint["network_weights"]
    if not isinstance(weights, dict):
        raise EnvironmentFault(
            f"network_weights are a {type(weights).__name__}", file=file, expected="a dict of tensors"
        )
    for name, tensor in weights.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise EnvironmentFault(
                f"network_weights hold {name!r}, a {type(tensor).__name__}",
                file=file,
                expected="tensors by name",
            )
    return {_without_wrappers(name): tensor for name, tensor in weights.items()}


def expect_checkpoint(content: object, file: Path) -> Tree:
    """Check that a tree is a checkpoint of nnU-Net's trainer. Raises EnvironmentFault."""
    keys = content.keys() if isinstance(content, dict) else ()
    if not isinstance(content, dict) or not {"network_weights", "init_args"} <= set(keys):
        raise EnvironmentFault(
            f"holds {', '.join(map(str, list(keys)[:10])) or 'no names'}",
            file=file,
            expected="network_weights and init_args, as nnU-Net v2 saves them",
        )
    return content


def _expect_file_names(names: Sequence[str], source: Path) -> None:
    """Check names that become part of a file name; a checkpoint could hold a path."""
    for name in names:
        if not FILE_NAME.fullmatch(name):
            raise EnvironmentFault(
                f"has a configuration or fold of the name {name!r}",
                file=source,
                expected="letters, digits, '.', '_' and '-'",
            )


def _load_state(file: Path) -> State:
    return state_of(expect_checkpoint(open_checkpoint(file), file), file)


def _without_wrappers(name: str) -> str:
    for wrapper in WRAPPERS:
        name = name.removeprefix(wrapper)
    return name


def _checkpoints(folder: Path, folds: tuple[str, ...], name: str) -> dict[str, Path]:
    found = {place.name.removeprefix("fold_"): place / name for place in sorted(folder.glob("fold_*"))}
    available = {fold: file for fold, file in found.items() if file.is_file()}
    numbered = sorted((fold for fold in available if fold.isdecimal()), key=int)
    chosen = folds or tuple(numbered) or tuple(available)
    if not chosen or not set(chosen) <= set(available):
        missing = ", ".join(f"fold_{fold}" for fold in chosen if fold not in available) or "any fold"
        others = sorted({file.name for file in folder.glob("fold_*/checkpoint_*.pth")})
        raise UsageError(
            f"has no {name} of {missing}",
            file=folder,
            expected=", ".join(f"fold_{fold}" for fold in available) or "fold_*/checkpoint_*.pth",
            hint=f"there is {', '.join(others)}: see --checkpoint" if others and not available else "",
        )
    return {fold: available[fold] for fold in chosen}


NNUNET = "dynamic_network_architectures"
MBAS = "mbas.architectures"
NETWORKS = {
    (NNUNET, "PlainConvUNet"): "PlainConvUNet",
    (NNUNET, "ResidualEncoderUNet"): "ResidualEncoderUNet",
    (NNUNET, "ResidualUNet"): "ResidualUNet",
    (MBAS, "MedNeXt"): "MedNeXtV1MBAS",
    (MBAS, "MedNeXt_July"): "MedNeXtV1MBAS",
    (MBAS, "MedNeXtV2"): "MedNeXtV2MBAS",
}
"""By package and class; the module within the package has changed more than once."""
TRAINING_ONLY = ("deep_supervision",)
"""Arguments that prediction does not depend on."""


def network_of(model: Model, channels: int, outputs: int) -> tuple[str, dict[str, object]]:
    """Find the name and arguments of a model's network among `segcube.networks.NETWORKS`.

    channels, outputs: counts of the network. Raises EnvironmentFault for an unknown class.
    """
    architecture = model.configuration.architecture
    arguments = {key: value for key, value in architecture.arch_kwargs.items() if key not in TRAINING_ONLY}
    name = _name(architecture.network_class_name, model.source)
    if architecture.network_class_name.endswith("_July"):
        kernel = arguments.get("stem_kernel_size", 1)
        arguments |= {"override_down_kernel_size": True, "down_kernel_size": kernel}
    if model.trainer == "nnUNetTrainerBN":
        norm = {"norm_op": "torch.nn.BatchNorm3d", "norm_op_kwargs": {"eps": 1e-5, "affine": True}}
        arguments |= norm
    return name, {**arguments, "input_channels": channels, "num_classes": outputs}


def _name(dotted: str, source: Path) -> str:
    kind = dotted.rpartition(".")[2]
    for (package, known), name in NETWORKS.items():
        if kind == known and dotted.startswith(f"{package}."):
            return name
    raise EnvironmentFault(
        f"has the network {dotted}",
        file=source,
        expected="one of " + ", ".join(f"{package}...{kind}" for package, kind in NETWORKS),
    )
