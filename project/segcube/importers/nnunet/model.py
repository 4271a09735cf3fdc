"""Read a trained nnU-Net: plans, dataset, checkpoints, and its network in `segcube.networks`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from segcube.core import EnvironmentFault, read_json
from segcube.importers.checkpoint.reader import open_checkpoint
from segcube.importers.nnunet.dataset import Dataset
from segcube.importers.nnunet.plans import (
    Checkpoint,
    Configuration,
    Plans,
    read_configuration,
    read_part,
)
from segcube.importers.nnunet.slices import weights_in_three_dimensions
from segcube.importers.sources import choose_folds
from segcube.importers.write import State

FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
EXPECTED = "a file of an nnU-Net v2 model folder"
WRAPPERS = re.compile(r"^(module\.)?(_orig_mod\.)?")
"""Prefixes that torch adds to a network on several devices or compiled."""


@dataclass(frozen=True)
class PlannedModel:
    """One configuration of an nnU-Net, with what prediction depends on but the weights."""

    source: Path
    plans: Plans
    dataset: Dataset
    name: str
    """Name of the configuration."""
    configuration: Configuration
    trainer: str
    mirror_axes: tuple[int, ...]
    """Array axes that the checkpoint allows to mirror."""


@dataclass(frozen=True)
class Model(PlannedModel):
    """A trained configuration."""

    folds: Mapping[str, Path]
    """The file of each fold."""
    load: Callable[[Path], State]
    """Loads the weights of such a file."""


def read_planned(plans_file: Path, configuration: str, mirrors: tuple[str, ...] = ()) -> PlannedModel:
    """Read a configuration that is yet to be trained, from plans.json and the dataset.json beside it.

    mirrors: of x, y and z, the axes that training mirrors. Raises EnvironmentFault as `read_folder` does.
    """
    dataset_file = plans_file.parent / "dataset.json"
    plans = read_part(Plans, read_json(plans_file, EnvironmentFault, EXPECTED), plans_file)
    dataset = read_part(Dataset, read_json(dataset_file, EnvironmentFault, EXPECTED), dataset_file)
    chosen = read_configuration(plans, configuration, plans_file)
    return PlannedModel(
        source=plans_file,
        plans=plans,
        dataset=dataset,
        name=configuration,
        configuration=chosen,
        trainer="nnUNetTrainer",
        mirror_axes=_mirrored(chosen, [plans.axes.index(axis) for axis in mirrors]),
    )


def _mirrored(configuration: Configuration, axes: Iterable[int]) -> tuple[int, ...]:
    """Axes to mirror; windows of one slice are not mirrored across it."""
    return tuple(axis for axis in axes if not (configuration.is_of_slices and axis == 0))


def read_folder(folder: Path, folds: tuple[str, ...] = (), checkpoint: str = "final") -> Model:
    """Read a model folder: plans.json, dataset.json and fold_*/checkpoint_*.pth.

    folds: numbers or `all`; empty: every numbered fold, else fold_all, as in nnU-Net. checkpoint: final or
    best. Configuration and mirror axes are those of the first fold. Raises EnvironmentFault for files that
    are missing, broken or not supported, UsageError for missing folds.
    """
    files = choose_folds(folder, folds, f"checkpoint_{checkpoint}.pth")
    plans_file, dataset_file = folder / "plans.json", folder / "dataset.json"
    plans = read_part(Plans, read_json(plans_file, EnvironmentFault, EXPECTED), plans_file)
    dataset = read_part(Dataset, read_json(dataset_file, EnvironmentFault, EXPECTED), dataset_file)
    saved = _read_checkpoint(next(iter(files.values())))
    return read_model(saved, plans, dataset, folder, files, lambda file: state_of(_read_checkpoint(file)))


def _read_checkpoint(file: Path) -> Checkpoint:
    return read_part(Checkpoint, open_checkpoint(file), file)


def read_model(
    saved: Checkpoint,
    plans: Plans,
    dataset: Dataset,
    source: Path,
    folds: Mapping[str, Path],
    load: Callable[[Path], State],
) -> Model:
    """Combine a checkpoint, plans and a dataset.

    source: the folder or file that holds all three, for errors. Raises EnvironmentFault for unsupported
    settings, and for names of a configuration or fold that cannot be part of a file name.
    """
    configuration = saved.init_args.configuration
    for name in (configuration, *folds):
        # A checkpoint could hold a path
        if not FILE_NAME.fullmatch(name):
            found = f"has a configuration or fold of the name {name!r}"
            raise EnvironmentFault(found, file=source, expected="letters, digits, '.', '_' and '-'")
    chosen = read_configuration(plans, configuration, source)
    # A 2d configuration counts the axes of a slice
    first = 1 if chosen.is_of_slices else 0
    mirrored = tuple(axis + first for axis in saved.inference_allowed_mirroring_axes or ())
    if any(axis > 2 for axis in mirrored):
        found = f"has the mirror axes {list(saved.inference_allowed_mirroring_axes or ())}"
        raise EnvironmentFault(found, file=source, expected=f"some of {list(range(3 - first))}")
    return Model(
        source=source,
        plans=plans,
        dataset=dataset,
        name=configuration,
        configuration=chosen,
        trainer=saved.trainer_name,
        mirror_axes=mirrored,
        folds=folds,
        load=load,
    )


def state_of(saved: Checkpoint) -> State:
    """The weights of a checkpoint in three dimensions, without the prefixes that torch adds."""
    weights = weights_in_three_dimensions(saved.network_weights)
    return {WRAPPERS.sub("", name): tensor for name, tensor in weights.items()}


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


def network_of(model: PlannedModel, channels: int, outputs: int) -> tuple[str, dict[str, object]]:
    """Find the name and arguments of a model's network among `segcube.networks.NETWORKS`.

    channels, outputs: counts of the network. Raises EnvironmentFault for an unknown class.
    """
    architecture = model.configuration.architecture
    dotted = architecture.network_class_name
    known = [
        name
        for (package, kind), name in NETWORKS.items()
        if dotted.startswith(f"{package}.") and dotted.endswith(f".{kind}")
    ]
    if not known:
        expected = "one of " + ", ".join(f"{package}...{kind}" for package, kind in NETWORKS)
        raise EnvironmentFault(f"has the network {dotted}", file=model.source, expected=expected)
    arguments = {key: value for key, value in architecture.arch_kwargs.items() if key not in TRAINING_ONLY}
    if dotted.endswith("_July"):
        kernel = arguments.get("stem_kernel_size", 1)
        arguments |= {"override_down_kernel_size": True, "down_kernel_size": kernel}
    if model.trainer == "nnUNetTrainerBN":
        arguments |= {"norm_op": "torch.nn.BatchNorm3d", "norm_op_kwargs": {"eps": 1e-5, "affine": True}}
    return known[0], {**arguments, "input_channels": channels, "num_classes": outputs}
