"""The process that makes phantoms: python -m segcube.training.stream.worker FILE_DESCRIPTOR.

Over a connection it receives StreamRules, then indices, and sends a StreamedCase or an exception for each.
It ends when the other end is closed, as when the process that started it was killed.
"""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection

from segcube.core import limit_threads
from segcube.training.stream.case import StreamRules, make_streamed


def serve(connection: Connection) -> None:
    """Answer requests until the connection is closed."""
    limit_threads(1)
    try:
        rules: StreamRules = connection.recv()
        while True:
            connection.send(_make(rules, connection.recv()))
    except (EOFError, BrokenPipeError):
        return


def _make(rules: StreamRules, index: int) -> object:
    try:
        return make_streamed(rules, index)
    except Exception as error:
        return error


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
