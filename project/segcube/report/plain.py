"""Text that others wrote, for a terminal."""

from __future__ import annotations

from rich.text import Text

from segcube.errors import printable


def plain(text: object, style: str = "") -> Text:
    """One line that is printed as it stands: no markup, no emoji codes, nothing that moves the cursor.

    Names of files, cases and regions and the fields of a submission are other people's text.
    """
    return Text(printable(str(text)), style=style)
