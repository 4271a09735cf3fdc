"""The commands, a file each: parse, call, print. What they run is imported when they run."""

from segcube.commands.check import check
from segcube.commands.check_hosts import check_hosts
from segcube.commands.compile import compile_
from segcube.commands.evaluate import evaluate
from segcube.commands.import_ import import_
from segcube.commands.infer import infer
from segcube.commands.info import info
from segcube.commands.pack import pack
from segcube.commands.phantoms import phantoms
from segcube.commands.picture import picture
from segcube.commands.rank import rank
from segcube.commands.soup import soup
from segcube.commands.tune import tune

__all__ = [
    "check",
    "check_hosts",
    "compile_",
    "evaluate",
    "import_",
    "infer",
    "info",
    "pack",
    "phantoms",
    "picture",
    "rank",
    "soup",
    "tune",
]
