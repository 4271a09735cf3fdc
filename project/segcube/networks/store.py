"""Weights as safetensors files that describe their network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import safetensors.torch
import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from torch import nn

from segcube import __version__
from segcube.core import EnvironmentFault, UsageError, write_whole
from segcube.networks.registry import build_network, check_arguments
from segcube.networks.state import fill, mismatches, named_once, not_finite, stored_state
from segcube.spec.submission import FETCH_AGAIN, KEY, expect_file, expect_sha256, unreadable


@dataclass(frozen=True)
class NetworkCard:
    """The network that a file's weights belong to."""

    network: str
    arguments: Mapping[str, object]
    version: str
    """segcube's own, at the time of writing."""
    notes: str | None = None


def encode_card(card: NetworkCard) -> dict[str, str]:
    """The card as safetensors metadata; equal cards give equal text."""
    # One key for the whole card: safetensors writes several in an order that differs from run to run
    return {KEY: json.dumps(asdict(card), sort_keys=True)}


def decode_card(metadata: Mapping[str, str], file: Path) -> NetworkCard:
    """The card in a file's metadata.

    Raises EnvironmentFault when there is none or it is broken.
    """
    expected = "weights that segcube wrote, with their network's name and arguments"
    if KEY not in metadata:
        raise EnvironmentFault("has no network card", file=file, expected=expected, hint="import it first")
    try:
        return TypeAdapter(NetworkCard).validate_json(metadata[KEY])
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        found = f"its network card is broken at {place or 'the start'}: {error.errors()[0]['msg']}"
        raise EnvironmentFault(found, file=file, expected=expected) from error


def read_metadata(file: Path) -> NetworkCard:
    """The card of a weights file; its tensors are not read.

    Raises EnvironmentFault for a file that is missing, cut off, no safetensors or without a card.
    """
    expect_file(file)
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise _no_safetensors(file, error) from error
    return decode_card(metadata, file)


def load_weights(file: Path, sha256: str | None) -> dict[str, torch.Tensor]:
    """The tensors of a weights file, on the CPU.

    sha256: of the whole file; None to go without. Raises EnvironmentFault for a file that is missing, cut
    off, no safetensors, not the one that is asked for, or with a value that is not finite.
    """
    expect_file(file)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise unreadable(file, error) from error
    if sha256 is not None:
        expect_sha256(hashlib.sha256(data).hexdigest(), sha256, file)
    try:
        weights = safetensors.torch.load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise _no_safetensors(file, error) from error
    _expect_finite(weights, file)
    return weights


def load_network(file: Path, sha256: str | None) -> nn.Module:
    """The network of a weights file, on the CPU and in eval mode.

    Weights of another precision are cast to the network's own. Raises EnvironmentFault as `read_metadata` and
    `load_weights` do, and for weights that do not fit the network that the card names.
    """
    card = read_metadata(file)
    weights = load_weights(file, sha256)
    try:
        network = _outline(card.network, card.arguments)
    except UsageError as error:
        raise EnvironmentFault(error.sentence(), file=file, hint="import the weights again") from error
    found = mismatches(network, weights)
    if found:
        raise EnvironmentFault(f"keys {found}", file=file, expected=f"the weights of its {card.network}")
    fill(network, weights)
    return network.eval()


def save_network(
    network: nn.Module, name: str, arguments: Mapping[str, object], file: Path, notes: str | None = None
) -> str:
    """Write a network's weights and card, whole or not at all; returns the file's sha256.

    name, arguments: as `build_network` takes them. The same input gives the same bytes. Raises UsageError
    when they do not describe the network, EnvironmentFault when a value is not finite or the file cannot be
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
    """Write weights and the card of their network as `save_network` does; returns the file's sha256.

    weights: as the network's state_dict names them; a tensor of two names may come under both.
    """
    outline = _outline(name, arguments)
    weights = {
        key: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for key, tensor in named_once(outline, weights).items()
    }
    found = mismatches(outline, weights)
    if found:
        raise UsageError(f"keys {found}", file=file, expected=f"the weights of a {name} of {dict(arguments)}")
    _expect_finite(weights, file)
    said = check_arguments(name, arguments).model_dump(mode="json", exclude_unset=True)
    card = NetworkCard(name, said, __version__, notes)
    data = safetensors.torch.save(weights, encode_card(card))
    write_whole(file, data)
    return hashlib.sha256(data).hexdigest()


def _outline(name: str, arguments: Mapping[str, object]) -> nn.Module:
    """The network without memory or random numbers for its weights."""
    with torch.device("meta"):
        return build_network(name, arguments)


def _expect_finite(weights: Mapping[str, torch.Tensor], file: Path) -> None:
    broken = not_finite(weights)
    if broken:
        raise EnvironmentFault(
            f"{len(broken)} tensors hold values that are not finite, {broken[0]} first",
            file=file,
            expected="finite weights",
            hint="take an earlier checkpoint",
        )


def _no_safetensors(file: Path, error: Exception) -> EnvironmentFault:
    return EnvironmentFault(
        f"cannot be read: {error}", file=file, expected="a whole safetensors file", hint=FETCH_AGAIN
    )
