"""The command line."""

from segcube.cli.app import main

__all__ = ["main"]
