"""Find a network's own entries in a state_dict that a trainer wrapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from segcube.errors import EnvironmentFault

LISTED = 3


@dataclass(frozen=True)
class Unwrapped:
    """A network's entries under the network's own names, and what lay beside them."""

    state: Mapping[str, torch.Tensor]
    prefix: str
    left: tuple[str, ...]
    """Entries of the trainer, not of the network: losses, metrics, averages."""

    def notes(self) -> tuple[str, ...]:
        """What was left behind, as a sentence; none if nothing was."""
        if not self.left:
            return ()
        rest = f" and {len(self.left) - LISTED} more" if len(self.left) > LISTED else ""
        return (f"Entries outside '{self.prefix}' are the trainer's: {', '.join(self.left[:LISTED])}{rest}.",)


def unwrap(state: object, anchor: str, prefix: str | None = None) -> Unwrapped:
    """The entries beside `anchor`, whatever stands before its name.

    anchor: an entry that the network has once, such as stem.weight. prefix: which of several to take.
    Raises EnvironmentFault when there is none, or more than one and no prefix says which.
    """
    if not isinstance(state, Mapping):
        raise EnvironmentFault(f"holds no state_dict but a {type(state).__name__}")
    tensors = {str(key): value for key, value in state.items() if isinstance(value, torch.Tensor)}
    found = [key[: -len(anchor)] for key in tensors if key == anchor or key.endswith("." + anchor)]
    chosen = found if prefix is None else [one for one in found if one == prefix]
    if len(chosen) != 1:
        told = ", ".join(repr(one) for one in found) or "nothing"
        raise EnvironmentFault(
            f"{anchor} stands behind {told}" + (f", not behind {prefix!r}" if prefix and not chosen else ""),
            expected="one network",
            mend="say with --prefix which of them to take" if found else "",
        )
    length = len(chosen[0])
    own = {key[length:]: value for key, value in tensors.items() if key.startswith(chosen[0])}
    left = tuple(key for key in tensors if not key.startswith(chosen[0]))
    return Unwrapped(own, chosen[0], left)
