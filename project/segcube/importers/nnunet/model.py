"""The networks that plans name, as those of `segcube.networks`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch

from segcube.core import EnvironmentFault, UsageError, read_json
from segcube.importers.checkpoint.layouts import open_checkpoint
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
from segcube.importers.requests import State

PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
Tree: TypeAlias = Mapping[str, Any]
EXPECTED = "an nnU-Net v2 model folder's file"
WRAPPERS = ("module.", "_orig_mod.")
"""What torch puts before the names of a network that trained on several devices, or compiled."""


@dataclass(frozen=True)
class Weights:
    """The weights of one fold, read when they are asked for."""

    file: Path
    read: Callable[[], State]


@dataclass(frozen=True)
class Model:
    """One configuration of an nnU-Net, as far as a prediction depends on it."""

    source: Path
    plans: Plans
    dataset: Dataset
    name: str
    """Of the configuration."""
    configuration: Configuration
    trainer: str
    mirrors: tuple[int, ...]
    """Array axes that the checkpoint allows to be mirrored."""
    folds: Mapping[str, Weights]


def read_folder(folder: Path, folds: tuple[str, ...] = (), checkpoint: str = "final") -> Model:
    """Read a model folder: plans.json, dataset.json and fold_*/checkpoint_*.pth.

    folds: numbers or `all`; none takes every numbered fold, else fold_all, as nnU-Net does. checkpoint: final
    or best. The configuration and the mirrors are the first fold's. Raises EnvironmentFault for files that
    are missing, broken or not supported, UsageError for folds that are not there.
    """
    files = _checkpoints(folder, folds, f"checkpoint_{checkpoint}.pth")
    plans_file, dataset_file = folder / "plans.json", folder / "dataset.json"
    plans = read_plans(read_json(plans_file, EnvironmentFault, EXPECTED), plans_file)
    dataset = read_dataset(read_json(dataset_file, EnvironmentFault, EXPECTED), dataset_file)
    first = next(iter(files.values()))
    weights = {fold: Weights(file, _reader(file)) for fold, file in files.items()}
    return read_model(read_checkpoint(_checkpoint(file=first), first), plans, dataset, folder, weights)


def read_model(
    saved: Checkpoint, plans: Plans, dataset: Dataset, source: Path, folds: Mapping[str, Weights]
) -> Model:
    """A model of what a checkpoint, a plans.json and a dataset.json hold.

    source: what an error names, the folder or file that holds all three. Raises EnvironmentFault for what is
    broken or not supported, and for names of a configuration or fold that no file can have.
    """
    name = saved.init_args.configuration
    _expect_plain_names((name, *folds), source)
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
    """The weights of a checkpoint, under the network's own names.

    Raises EnvironmentFault for weights that are no named tensors.
    """
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
    return {_unwrapped(name): tensor for name, tensor in weights.items()}


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


def _expect_plain_names(names: Sequence[str], source: Path) -> None:
    """Check names that become part of a file's: a checkpoint may hold any, such as a path."""
    for name in names:
        if not PLAIN_NAME.fullmatch(name):
            raise EnvironmentFault(
                f"a configuration or fold of the name {name!r}",
                file=source,
                expected="letters, digits, '.', '_' and '-'",
            )


def _checkpoint(file: Path) -> Tree:
    return expect_checkpoint(open_checkpoint(file), file)


def _reader(file: Path) -> Callable[[], State]:
    return lambda: state_of(_checkpoint(file), file)


def _unwrapped(name: str) -> str:
    for wrapper in WRAPPERS:
        name = name.removeprefix(wrapper)
    return name


def _checkpoints(folder: Path, folds: tuple[str, ...], name: str) -> dict[str, Path]:
    found = {place.name.removeprefix("fold_"): place / name for place in sorted(folder.glob("fold_*"))}
    there = {fold: file for fold, file in found.items() if file.is_file()}
    numbered = sorted((fold for fold in there if fold.isdecimal()), key=int)
    chosen = folds or tuple(numbered) or tuple(there)
    if not chosen or not set(chosen) <= set(there):
        lacking = ", ".join(f"fold_{fold}" for fold in chosen if fold not in there) or "any fold"
        others = sorted({file.name for file in folder.glob("fold_*/checkpoint_*.pth")})
        raise UsageError(
            f"no {name} of {lacking}",
            file=folder,
            expected=", ".join(f"fold_{fold}" for fold in there) or "fold_*/checkpoint_*.pth",
            hint=f"there is {', '.join(others)}: see --checkpoint" if others and not there else "",
        )
    return {fold: there[fold] for fold in chosen}


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
"""By package and class; a class's module within the package has moved more than once."""
UNREAD = ("deep_supervision",)
"""Arguments that only training depends on."""


def network_of(model: Model, channels: int, outputs: int) -> tuple[str, dict[str, object]]:
    """The name and arguments of a model's network.

    channels, outputs: that it takes and gives. Raises EnvironmentFault for a class that is not known.
    """
    architecture = model.configuration.architecture
    arguments = {key: value for key, value in architecture.arch_kwargs.items() if key not in UNREAD}
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
        f"network {dotted}",
        file=source,
        expected="one of " + ", ".join(f"{package}...{kind}" for package, kind in NETWORKS),
    )
