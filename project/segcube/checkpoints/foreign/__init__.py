"""Other people's checkpoints and archives, read without running anything that they hold."""

from segcube.checkpoints.foreign.bounds import check_tree
from segcube.checkpoints.foreign.inert import Inert, Named, RefusedPickle, plain
from segcube.checkpoints.foreign.opened import open_checkpoint
from segcube.checkpoints.foreign.unpack import is_archive, unpack

__all__ = [
    "Inert",
    "Named",
    "RefusedPickle",
    "check_tree",
    "is_archive",
    "open_checkpoint",
    "plain",
    "unpack",
]
