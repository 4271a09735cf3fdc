"""Read a bundle's network and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from segcube.core import EnvironmentFault, UsageError
from segcube.importers.checkpoint.reader import open_checkpoint
from segcube.importers.monai_bundle.config import Config
from segcube.importers.sources import network_entries
from segcube.importers.write import Source, State
from segcube.networks import NETWORKS, build_network, stored_state

WITHOUT_EFFECT: Mapping[str, Mapping[str, Any]] = {
    "SwinUNETR": {"img_size": None},
    "SegResNet": {"use_conv_final": True, "norm_name": "", "num_groups": 8},
}
"""Arguments of older MONAI versions, with the value that has no effect; None: no value has."""
RENAMED: Mapping[str, Mapping[str, str]] = {"UNet": {"channels": "features"}}
"""MONAI's name of an argument, and that of segcube."""
WRAPPERS = ("model", "state_dict", "network", "net")
"""Keys of a checkpoint that may hold the state_dict."""
WEIGHTS = "models/model.pt"


def source_of(folder: Path, config: Config) -> Source:
    """Read the network in configs/inference and the weights in models/model.pt.

    Raises EnvironmentFault for an unsupported network, expressions, and missing weights.
    """
    name, arguments = _named(config)
    file = folder / WEIGHTS
    if not file.is_file():
        hint = "large_files.yml may hold their address"
        raise EnvironmentFault("no such file", file=file, expected="the bundle's weights", hint=hint)
    try:
        with torch.device("meta"):
            anchor = next(iter(stored_state(build_network(name, arguments))))
    except UsageError as error:
        raise config.fault(error.found, error.expected) from error

    def read() -> State:
        try:
            return network_entries(_state(open_checkpoint(file)), anchor).state
        except EnvironmentFault as error:
            raise EnvironmentFault(error.found, file=file, expected=f"the weights of a {name}") from error

    return Source(name, arguments, (file, config.file), read)


def _named(config: Config) -> tuple[str, dict[str, Any]]:
    definition = next(
        (config.content[key] for key in ("network_def", "network", "net") if key in config.content), {}
    )
    definition = config.resolve(definition, "network_def")
    if not isinstance(definition, dict) or "_target_" not in definition:
        raise config.fault("has no network", "network_def with a _target_")
    target = str(definition["_target_"])
    name = target.rpartition(".")[2]
    if name not in NETWORKS:
        found = f"has the network {target}, which segcube does not have"
        raise config.fault(found, "one of " + ", ".join(NETWORKS))
    renamed, ignored = RENAMED.get(name, {}), WITHOUT_EFFECT.get(name, {})
    return name, {
        renamed.get(key, key): value
        for key, value in definition.items()
        if key[:1] != "_" and not (key in ignored and ignored[key] in (None, value))
    }


def _state(tree: object) -> object:
    """Select the state_dict of a checkpoint, which may be all of it."""
    if isinstance(tree, dict):
        for key in WRAPPERS:
            if isinstance(tree.get(key), dict):
                return tree[key]
    return tree
