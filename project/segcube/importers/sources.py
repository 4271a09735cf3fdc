"""Sources of an import: archives and folders, folds, and the network's entries of a state_dict."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError

from segcube.core import EnvironmentFault, UsageError, scratch_folder
from segcube.importers.archives import is_archive, unpack

MAX_LISTED = 3


@contextmanager
def opened_source(source: Path, out: Path) -> Generator[Path, None, None]:
    """Open the folder or file of a source; an archive is unpacked near `out` and removed at the end.

    A folder that holds a single folder is replaced by that one. Raises EnvironmentFault for a missing source
    and as `unpack` does.
    """
    if not source.exists():
        expected = "a folder or file of a trained model, or an archive of it"
        raise EnvironmentFault("no such file or folder", file=source, expected=expected)
    if not (source.is_file() and is_archive(source)):
        yield _inner_folder(source)
        return
    # The weights need as much room there anyway; the system's temporary folder may be small
    room = next(parent for parent in out.absolute().parents if parent.is_dir())
    with scratch_folder(room, "source") as folder:
        yield _inner_folder(unpack(source, folder / "unpacked"))


def _inner_folder(folder: Path) -> Path:
    while folder.is_dir():
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir() or inside[0].name.startswith("fold_"):
            break
        folder = inside[0]
    return folder


@contextmanager
def content_of(source: Path, framework: str) -> Generator[None, None, None]:
    """Report missing entries and entries of another type as EnvironmentFault of their source."""
    try:
        yield
    except ValidationError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        found = f"an entry is missing or of another type: {type(error).__name__} {error}"
        raise EnvironmentFault(found, file=source, expected=f"content as in {framework}") from error


@contextmanager
def faults_of(file: Path, hint: str = "") -> Generator[None, None, None]:
    """Add the file to each error that names none, and the hint to each that has none."""
    try:
        yield
    except (UsageError, EnvironmentFault) as error:
        if error.file and (error.hint or not hint):
            raise
        raise type(error)(
            error.found, file=error.file or file, expected=error.expected, hint=error.hint or hint
        ) from error


def choose_folds(folder: Path, names: Sequence[str], checkpoint: str) -> dict[str, Path]:
    """Find a checkpoint in the folders of folds: fold_0, fold_1, ..., and fold_all or all.

    names: numbers or `all`; empty: every numbered fold, else all others. Raises UsageError that lists the
    available folds and checkpoints.
    """
    files = [path / checkpoint for path in sorted((folder / "all", *folder.glob("fold_*")))]
    available = {file.parent.name.removeprefix("fold_"): file for file in files if file.is_file()}
    numbered = sorted(filter(str.isdecimal, available), key=int)
    chosen = tuple(names) or tuple(numbered) or tuple(available)
    if not chosen or not set(chosen) <= set(available):
        missing = ", ".join(f"fold_{name}" for name in chosen if name not in available) or "any fold"
        suffix = Path(checkpoint).suffix
        others = sorted({file.name for file in folder.glob(f"fold_*/*{suffix}")})
        expected = ", ".join(f"fold_{name}" for name in available) or f"fold_*/{checkpoint}"
        hint = f"there is {', '.join(others)}: see --checkpoint" if others and not available else ""
        raise UsageError(f"has no {checkpoint} of {missing}", file=folder, expected=expected, hint=hint)
    return {name: available[name] for name in chosen}


@dataclass(frozen=True)
class NetworkEntries:
    """The entries of one network in a state_dict, and the other entries."""

    state: Mapping[str, torch.Tensor]
    """Under the network's own names, without the prefix."""
    prefix: str
    others: tuple[str, ...]
    """Names of entries without the prefix: losses, metrics, averages."""

    def notes(self) -> tuple[str, ...]:
        """Describe the entries that are not imported; empty if there are none."""
        if not self.others:
            return ()
        rest = f" and {len(self.others) - MAX_LISTED} more" if len(self.others) > MAX_LISTED else ""
        listed = ", ".join(self.others[:MAX_LISTED])
        return (f"Entries outside '{self.prefix}' belong to the trainer and were skipped: {listed}{rest}.",)


def network_entries(state: object, anchor: str, prefix: str | None = None, hint: str = "") -> NetworkEntries:
    """Select the entries that share the prefix of `anchor`, whatever that prefix is.

    anchor: an entry that the network has once, such as stem.weight. prefix: selects one of several. hint: for
    the error of several networks. Raises EnvironmentFault when not exactly one network is found.
    """
    if not isinstance(state, Mapping):
        raise EnvironmentFault(f"holds no state_dict but a {type(state).__name__}")
    tensors = {str(key): value for key, value in state.items() if isinstance(value, torch.Tensor)}
    found = [key[: -len(anchor)] for key in tensors if key == anchor or key.endswith("." + anchor)]
    chosen = found if prefix is None else [one for one in found if one == prefix]
    if len(chosen) != 1:
        listed = ", ".join(map(repr, found)) or "none"
        raise EnvironmentFault(
            f"the prefixes of {anchor} are {listed}" + (f", not {prefix!r}" if prefix and not chosen else ""),
            expected="one network",
            hint=hint if found else "",
        )
    length = len(chosen[0])
    own = {key[length:]: value for key, value in tensors.items() if key.startswith(chosen[0])}
    others = tuple(key for key in tensors if not key.startswith(chosen[0]))
    return NetworkEntries(own, chosen[0], others)
