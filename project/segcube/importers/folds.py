"""The folds of a model folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segcube.errors import EnvironmentFault


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
