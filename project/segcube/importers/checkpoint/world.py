"""What a pickle may reach: the list of names, and the storages of its own file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from segcube.importers.checkpoint.allowed import stands_for
from segcube.importers.checkpoint.bounds import LARGEST, Budget
from segcube.importers.checkpoint.inert import Named, RefusedPickle, short_repr
from segcube.importers.checkpoint.tensors import Storage

Find = Callable[[str, torch.dtype, int], Storage]
"""A storage by its key, type and count."""


def no_storages(key: str, dtype: torch.dtype, count: int) -> Storage:
    """For pickles that stand alone. Raises RefusedPickle."""
    del dtype, count
    raise RefusedPickle(f"a storage {key} outside its file")


@dataclass
class FileWorld:
    """The names of the list, and storages that `find` finds, each read once."""

    budget: Budget
    find: Find = no_storages
    nested: Callable[[bytes], object] | None = None
    """Reads a storage that was written into the pickle as a file of its own."""
    storages: dict[str, Storage] = field(default_factory=dict)

    def named(self, module: str, name: str) -> object:
        """What stands for a global. Raises RefusedPickle."""
        if (module, name) == ("torch.storage", "_load_from_bytes") and self.nested:
            return Named("torch.storage._load_from_bytes", self._load_nested)
        return stands_for(module, name)

    def stored(self, identity: Any) -> Storage:
        """The storage of torch's ('storage', type, key, device, count[, view]). Raises RefusedPickle."""
        if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
            raise RefusedPickle(f"a pickle that refers to {short_repr(identity)}")
        _, dtype, key, _, count = identity[:5]
        if (
            not isinstance(dtype, torch.dtype)
            or not isinstance(key, str)
            or type(count) is not int
            or not 0 <= count < LARGEST
        ):
            raise RefusedPickle(
                f"a storage {short_repr(key)} of {short_repr(count)} numbers of {short_repr(dtype)}"
            )
        if identity[5:] not in ((), (None,)):
            raise RefusedPickle(f"a storage {key} that is a part of another one")
        if key not in self.storages:
            self.storages[key] = self.find(key, dtype, count)
        found = self.storages[key]
        if found.values.dtype != dtype or len(found.values) != count:
            raise RefusedPickle(f"a storage {key} of two types or lengths")
        return found

    def _load_nested(self, data: object) -> object:
        if not isinstance(data, bytes) or self.nested is None:
            raise RefusedPickle("a storage without bytes")
        self.budget.take_bytes(len(data))
        return self.nested(data)
