"""Write and load weights as safetensors files with a network card, and fit them to their network."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from segcube import __version__
from segcube.core import EnvironmentFault, UsageError, write_atomic
from segcube.networks.card import NetworkCard, encode_card, not_safetensors, read_metadata
from segcube.networks.registry import build_network, check_arguments
from segcube.spec.submission import check_file_exists, check_sha256, read_error

MAX_LISTED = 10
"""Keys of each kind that an error lists."""


def load_weights(file: Path, sha256: str | None) -> dict[str, torch.Tensor]:
    """Load the tensors of a weights file to the CPU.

    sha256: expected for the whole file; None skips the check. Raises EnvironmentFault for a file that is
    missing, truncated, not safetensors, of another sha256, or with values that are not finite.
    """
    check_file_exists(file)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise read_error(file, error) from error
    if sha256 is not None:
        check_sha256(hashlib.sha256(data).hexdigest(), sha256, file)
    try:
        weights = safetensors.torch.load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise not_safetensors(file, error) from error
    _expect_finite(weights, file)
    return weights


def load_network(file: Path, sha256: str | None) -> nn.Module:
    """Load the network of a weights file, on the CPU and in eval mode.

    Weights of another precision are cast to that of the network. Raises EnvironmentFault as `read_metadata`
    and `load_weights` do, and for weights that do not fit the network of the card.
    """
    card = read_metadata(file)
    weights = load_weights(file, sha256)
    try:
        network = _outline(card.network, card.arguments)
    except UsageError as error:
        raise EnvironmentFault(str(error), file=file, hint="import the weights again") from error
    found = mismatches(network, weights)
    if found:
        raise EnvironmentFault(f"keys {found}", file=file, expected=f"the weights of its {card.network}")
    fill(network, weights)
    return network.eval()


def save_network(
    network: nn.Module, name: str, arguments: Mapping[str, object], file: Path, notes: str | None = None
) -> str:
    """Write a network's weights and card, whole or not at all; return the sha256 of the file.

    name, arguments: as for `build_network`. The same input gives the same bytes. Raises UsageError when they
    do not describe the network, EnvironmentFault for values that are not finite and a file that cannot be
    written.
    """
    return save_weights(stored_state(network), name, arguments, file, notes)


def save_weights(
    weights: Mapping[str, torch.Tensor],
    name: str,
    arguments: Mapping[str, object],
    file: Path,
    notes: str | None = None,
) -> str:
    """Write weights and the card of their network as `save_network` does; return the sha256 of the file.

    weights: with the keys of the network's state_dict; shared tensors may have one key or all of them.
    """
    outline = _outline(name, arguments)
    weights = {
        key: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for key, tensor in drop_shared(outline, weights).items()
    }
    found = mismatches(outline, weights)
    if found:
        raise UsageError(f"keys {found}", file=file, expected=f"the weights of a {name} of {dict(arguments)}")
    _expect_finite(weights, file)
    given = check_arguments(name, arguments).model_dump(mode="json", exclude_unset=True)
    data = safetensors.torch.save(weights, encode_card(NetworkCard(name, given, __version__, notes)))
    write_atomic(file, data)
    return hashlib.sha256(data).hexdigest()


def stored_names(network: nn.Module) -> dict[str, str]:
    """Map each key of the state_dict to the key in the file.

    A module in two places has two keys for each tensor; the file holds the first one.
    """
    first: dict[int, str] = {}
    state = network.state_dict(keep_vars=True)
    return {name: first.setdefault(id(tensor), name) for name, tensor in state.items()}


def stored_state(network: nn.Module) -> dict[str, torch.Tensor]:
    """The entries of the state_dict that a file holds: each tensor once."""
    state = network.state_dict()
    return {name: state[name] for name in stored_names(network).values()}


def drop_shared(network: nn.Module, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename shared tensors to the key in the file, as `stored_names` does; unknown keys stay.

    Checkpoints of other frameworks hold such tensors under all of their keys.
    """
    names = stored_names(network)
    found = {name: tensor for name, tensor in weights.items() if names.get(name, name) == name}
    return {names.get(name, name): tensor for name, tensor in weights.items()} | found


def mismatches(network: nn.Module, weights: Mapping[str, torch.Tensor]) -> str:
    """List the keys that keep `weights` from fitting, the first ten of each kind; empty if they fit."""
    expected = stored_state(network)
    kinds = {
        "missing": [name for name in expected if name not in weights],
        "unexpected": [name for name in weights if name not in expected],
        "of another shape": [
            f"{name} {tuple(weights[name].shape)} instead of {tuple(tensor.shape)}"
            for name, tensor in expected.items()
            if name in weights and weights[name].shape != tensor.shape
        ],
    }
    return "; ".join(
        f"{len(names)} {kind}: {', '.join(names[:MAX_LISTED])}"
        + (f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else "")
        for kind, names in kinds.items()
        if names
    )


def fill(network: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Assign fitting `weights` to the network, cast to its types."""
    names, state = stored_names(network), network.state_dict()
    cast = {name: weights[names[name]].to(tensor.dtype) for name, tensor in state.items()}
    network.load_state_dict(cast, strict=True, assign=True)


def _outline(name: str, arguments: Mapping[str, object]) -> nn.Module:
    """Build the network without memory or random numbers for its weights."""
    with torch.device("meta"):
        return build_network(name, arguments)


def _expect_finite(weights: Mapping[str, torch.Tensor], file: Path) -> None:
    """Raise EnvironmentFault for a NaN or an infinity in float32, as networks use the weights."""
    floating = {name: tensor for name, tensor in weights.items() if tensor.is_floating_point()}
    broken = [name for name, tensor in floating.items() if not tensor.float().isfinite().all()]
    if broken:
        found = f"{len(broken)} tensors hold values that are not finite, {broken[0]} first"
        raise EnvironmentFault(found, file=file, expected="finite weights", hint="use an earlier checkpoint")
