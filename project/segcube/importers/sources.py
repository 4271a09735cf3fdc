"""Sources of an import: archives opened, files read once, folds and prefixes of weights."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError

from segcube.core import EnvironmentFault, scratch_folder
from segcube.importers.checkpoint.unpack import is_archive, unpack


@contextmanager
def content_of(source: Path, framework: str) -> Generator[None, None, None]:
    """Report content that is not as a framework writes it as a fault of its source.

    Raises EnvironmentFault for entries that are missing, or of another type, where they are used.
    """
    try:
        yield
    except ValidationError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise EnvironmentFault(
            f"an entry is missing or of another type: {type(error).__name__} {error}",
            file=source,
            expected=f"content as in {framework}",
        ) from error


def choose_folds(folder: Path, wanted: Sequence[str], checkpoint: str) -> dict[str, Path]:
    """Folders of the folds that are wanted, by name (fold_0, ..., all), in the order of their numbers.

    wanted: numbers or `all`; none takes every numbered fold that is there, or `all` if there is none.
    checkpoint: the file that each has to hold. Raises EnvironmentFault that lists the folds that are there.
    """
    places = {
        path.name.removeprefix("fold_"): path for path in folder.glob("*") if (path / checkpoint).is_file()
    }
    there = sorted((name for name in places if name.isdecimal()), key=int)
    if "all" in places:
        there.append("all")
    chosen = list(wanted) or [name for name in there if name != "all"] or there
    missing = [name for name in chosen if name not in there]
    if missing or not chosen:
        raise EnvironmentFault(
            f"has no fold {', '.join(missing) or 'at all'} with a {checkpoint}",
            file=folder,
            expected=f"folds among {', '.join(there)}" if there else "folders such as fold_0",
        )
    return {f"fold_{name}" if name.isdecimal() else name: places[name] for name in chosen}


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
            hint="say with --prefix which of them to take" if found else "",
        )
    length = len(chosen[0])
    own = {key[length:]: value for key, value in tensors.items() if key.startswith(chosen[0])}
    left = tuple(key for key in tensors if not key.startswith(chosen[0]))
    return Unwrapped(own, chosen[0], left)


@contextmanager
def opened_source(source: Path, beside: Path) -> Generator[Path, None, None]:
    """The folder or file of a source; an archive is unpacked until the end, in a folder near `beside`.

    A folder that holds nothing but one folder stands for that one. Raises EnvironmentFault for a source that
    is missing or, as `unpack` says, unsound.
    """
    if not source.exists():
        raise EnvironmentFault("no such file or folder", file=source)
    if not (source.is_file() and is_archive(source)):
        yield _inner(source)
        return
    # Where the weights will go there is room for them; the system's temporary folder may be small
    room = next(parent for parent in beside.absolute().parents if parent.is_dir())
    with scratch_folder(room, "source") as folder:
        yield _inner(unpack(source, folder / "unpacked"))


def _inner(folder: Path) -> Path:
    while folder.is_dir():
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir() or inside[0].name.startswith("fold_"):
            break
        folder = inside[0]
    return folder
