"""Challenges as a table on stdout."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table

from segcube.challenges import challenge_keys, load_challenge
from segcube.report.plain import plain


def print_challenges(as_json: bool = False) -> None:
    """Every challenge that is shipped, with its channels, labels and scored regions."""
    challenges = [load_challenge(key) for key in challenge_keys()]
    if as_json:
        print(json.dumps([challenge.model_dump(mode="json") for challenge in challenges], indent=1))
        return
    table = Table("key", "channels", "labels", "scored")
    for challenge in challenges:
        channels = " ".join(channel.name for channel in challenge.channels)
        labels = " ".join(f"{value} {name}" for name, value in challenge.labels.items() if value)
        table.add_row(*map(plain, (challenge.key, channels, labels, " ".join(challenge.scored))))
    Console(highlight=False).print(table)
