"""nnU-Net's patches, targets, losses, first weights, learning rates and steps: JSON and npz in, npz out.

Its trainers make all of them, on a CPU.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

FOLDER = Path(sys.argv[1])
for place in ("raw", "preprocessed", "results"):
    os.environ[f"nnUNet_{place}"] = str(FOLDER / place)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from nnunet_plans import dataset_of, plans_of  # noqa: E402
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor  # noqa: E402
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader  # noqa: E402
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer  # noqa: E402
from nnunetv2.training.nnUNetTrainer.variants.loss.nnUNetTrainerTopkLoss import (  # noqa: E402
    nnUNetTrainerDiceTopK10Loss,
)

torch.set_num_threads(1)
Arrays: TypeAlias = dict[str, np.ndarray]
TRAINERS = {"nnUNetTrainer": nnUNetTrainer, "nnUNetTrainerDiceTopK10Loss": nnUNetTrainerDiceTopK10Loss}


def trainer_of(spec: dict[str, Any]) -> nnUNetTrainer:
    """A trainer for the plans of a specification, with its loss; supervised: at lower resolutions too."""
    plans = plans_of(spec, "3d_fullres") | {"continue_training": False}
    parent = plans["configurations"]["parent"]
    parent["batch_dice"] = spec["batch_dice"]
    if "architecture" in spec:
        parent["architecture"]["arch_kwargs"] = spec["architecture"]
    trainer = TRAINERS[spec["trainer"]](plans, "3d_fullres", 0, dataset_of(spec), torch.device("cpu"))
    trainer.enable_deep_supervision = spec["supervised"]
    trainer.loss = trainer._build_loss()
    return trainer


def targets_of(trainer: nnUNetTrainer, labels: np.ndarray) -> list[torch.Tensor]:
    """The targets (B, C, X, Y, Z) of label maps (B, X, Y, Z), full resolution first."""
    manager = trainer.label_manager
    transforms = trainer.get_validation_transforms(
        trainer._get_deep_supervision_scales(),
        regions=manager.foreground_regions if manager.has_regions else None,
        ignore_label=manager.ignore_label,
    )
    found = []
    for sample in labels:
        target = transforms(segmentation=torch.from_numpy(sample)[None])["segmentation"]
        found.append(target if isinstance(target, list) else [target])
    return [torch.stack(level) for level in zip(*found, strict=True)]


def shrunk(request: dict[str, Any], arrays: Arrays) -> Arrays:
    """Label maps at lower resolutions."""
    targets = targets_of(trainer_of(request["spec"]), arrays["labels"])
    return {str(level): target[:, 0].numpy() for level, target in enumerate(targets)}


def losses(request: dict[str, Any], arrays: Arrays) -> Arrays:
    """Value and gradients of a loss, for the tensors of each seed."""
    trainer = trainer_of(request["spec"])
    found = {}
    for seed in range(request["seeds"]):
        targets = targets_of(trainer, arrays[f"{seed} labels"])
        logits = [
            torch.from_numpy(arrays[f"{seed} logits {level}"]).requires_grad_()
            for level in range(len(targets))
        ]
        whole = trainer.enable_deep_supervision
        value = trainer.loss(logits, targets) if whole else trainer.loss(logits[0], targets[0])
        value.backward()
        found[f"{seed} loss"] = value.detach().numpy()
        for level, tensor in enumerate(logits):
            gradient = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
            found[f"{seed} gradient {level}"] = gradient.numpy()
    return found


def steps(request: dict[str, Any], arrays: Arrays) -> Arrays:
    """The first weights of a seed, and those after steps from given ones; an epoch has two steps."""
    trainer = trainer_of(request["spec"])
    torch.manual_seed(request["seed"])
    trainer.network = trainer.build_network_architecture(
        trainer.plans_manager,
        trainer.configuration_manager,
        request["spec"]["scan"]["channels"],
        trainer.label_manager.num_segmentation_heads,
    )
    found = {f"first {name}": value for name, value in weights_of(trainer.network).items()}
    trainer.network.load_state_dict(
        {name: torch.from_numpy(arrays[f"weights {name}"]) for name in trainer.network.state_dict()}
    )
    trainer.num_epochs, trainer.weight_decay = request["epochs"], request["weight_decay"]
    trainer.optimizer, trainer.lr_scheduler = trainer.configure_optimizers()
    values = []
    for step in range(request["steps"]):
        if step % 2 == 0:
            trainer.current_epoch = step // 2
            trainer.on_train_epoch_start()
        targets = targets_of(trainer, arrays[f"{step} labels"])
        batch = {"data": torch.from_numpy(arrays[f"{step} image"]), "target": targets}
        values.append(trainer.train_step(batch)["loss"])
    last = {f"last {name}": value for name, value in weights_of(trainer.network).items()}
    return found | last | {"losses": np.array(values)}


def weights_of(network: torch.nn.Module) -> Arrays:
    return {name: value.detach().clone().numpy() for name, value in network.state_dict().items()}


def rates(request: dict[str, Any], _arrays: Arrays) -> Arrays:
    """The learning rate of each epoch, and the trainer's own numbers."""
    trainer = trainer_of(request["spec"])
    trainer.network = torch.nn.Linear(1, 1)
    trainer.optimizer, trainer.lr_scheduler = trainer.configure_optimizers()
    (group,) = trainer.optimizer.param_groups
    found = []
    for epoch in range(trainer.num_epochs):
        trainer.lr_scheduler.step(epoch)
        found.append(group["lr"])
    numbers = [trainer.initial_lr, group["weight_decay"], group["momentum"], group["nesterov"]]
    numbers += [trainer.num_epochs, trainer.num_iterations_per_epoch]
    return {"rates": np.array(found), "numbers": np.array(numbers, dtype=np.float64)}


def drawn(request: dict[str, Any], arrays: Arrays) -> Arrays:
    """Sample, case, whether forced, and start of what the loader cuts, from cases of label maps 0, 1, ...

    initial: its size.
    """
    trainer = trainer_of(request["spec"])
    manager = trainer.label_manager
    groups = manager.foreground_regions if manager.has_regions else manager.foreground_labels
    groups = [*groups, *([[-1, *manager.all_labels]] if manager.has_ignore_label else [])]
    places = {
        name: DefaultPreprocessor._sample_foreground_locations(labels[None], groups)
        for name, labels in arrays.items()
    }
    patch = trainer.configuration_manager.patch_size
    initial = trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size()[2]
    share = trainer.oversample_foreground_percent
    cases = SimpleNamespace(identifiers=list(arrays))
    loader = nnUNetDataLoader(cases, request["batch"], initial, patch, manager, share)
    np.random.seed(0)
    rows = []
    for _ in range(request["draws"]):
        for sample, name in enumerate(loader.get_indices()):
            forced = loader.get_do_oversample(sample)
            start, _ = loader.get_bbox(arrays[name].shape, forced, places[name])
            rows.append([sample, int(name), forced, *start])
    return {"rows": np.array(rows), "initial": np.array(initial)}


def main() -> None:
    answers = {"shrunk": shrunk, "losses": losses, "steps": steps, "rates": rates, "drawn": drawn}
    for request in json.loads((FOLDER / "requests.json").read_text()):
        folder = Path(request["folder"])
        arrays = dict(np.load(folder / "arrays.npz"))
        with redirect_stdout(sys.stderr):
            found = answers[request["kind"]](request, arrays)
        np.savez(folder / "results.npz", **found)


main()
