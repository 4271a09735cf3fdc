"""A place in a block of memory, read as a file is."""

from __future__ import annotations

LINE = 256


class Cursor:
    """A file of bytes in memory; it asks for no more memory than there are bytes, whatever a file claims."""

    def __init__(self, data: memoryview, at: int = 0) -> None:
        self.data, self.at = data, at

    def read(self, count: int = -1) -> bytes:
        """The next bytes, fewer at the end."""
        end = len(self.data) if count < 0 else min(self.at + count, len(self.data))
        found = bytes(self.data[self.at : end])
        self.at = end
        return found

    def readline(self) -> bytes:
        """The next bytes up to a line's end, that included."""
        length = LINE
        while True:
            chunk = bytes(self.data[self.at : self.at + length])
            if b"\n" in chunk or len(chunk) < length:
                line = chunk[: chunk.index(b"\n") + 1] if b"\n" in chunk else chunk
                self.at += len(line)
                return line
            length *= 4

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place from the start, from here or from the end."""
        self.at = max((0, self.at, len(self.data))[whence] + offset, 0)
        return self.at

    def tell(self) -> int:
        """The place, from the start."""
        return self.at
