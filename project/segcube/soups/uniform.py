"""A uniform soup: the mean of all members."""

from __future__ import annotations

from pathlib import Path

from segcube.soups.pot import Pot, check_soup, write_soup_card
from segcube.submission import whole_folder


def uniform_soup(pot: Pot, out: Path) -> None:
    """Write the submission with the mean of all its members to `out`, whole or not at all.

    Raises UsageError for members of different networks or an `out` that holds something, EnvironmentFault
    for weights that cannot be read or written.
    """
    with whole_folder(out) as folder:
        pot.cook(pot.members, folder)
        told = f"A uniform soup of {len(pot.members)} members."
        write_soup_card(pot, pot.members, told, folder, out.absolute().name)
        check_soup(folder)
