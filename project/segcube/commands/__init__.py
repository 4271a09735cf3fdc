"""The commands, a file each: parse, call, print. What they run is imported when they run."""

from segcube.commands.evaluate import evaluate
from segcube.commands.infer import infer
from segcube.commands.info import info
from segcube.commands.phantoms import phantoms
from segcube.commands.picture import picture

__all__ = ["evaluate", "infer", "info", "phantoms", "picture"]
