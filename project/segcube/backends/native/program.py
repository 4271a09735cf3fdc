"""A network as a native program: a flat list of calls on buffers that are planned in one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from segcube.backends.native.kernels import NativeKernels
from segcube.backends.native.layers import Buffers, Convolution, Size, Step
from segcube.backends.protocol import AccumulatorView

ALIGNMENT = 16
"""Floats to whose multiples buffers are aligned: the widest vector, and a line of the processor's caches."""
WINDOW = 0
"""The buffer that holds the window: the first in the array, kept until the last step."""


@dataclass(frozen=True)
class Program:
    """The steps that compute a window's logits, and where in working memory their buffers lie.

    It never changes: all that is written lies in the working memory that each run is given.
    """

    kernels: NativeKernels
    steps: tuple[Step, ...]
    sizes: tuple[Size, ...]
    """Of the buffers."""
    offsets: tuple[int, ...]
    """Of the buffers, in floats."""
    logits: int
    """The buffer of the logits, (1, K, X, Y, Z)."""

    @property
    def floats(self) -> int:
        """The size of the working memory."""
        return max(offset + prod(size) for offset, size in zip(self.offsets, self.sizes, strict=True))

    def buffers(self, memory: np.ndarray) -> Buffers:
        """The buffers in a working memory of at least `floats`, float32."""
        places = zip(self.offsets, self.sizes, strict=True)
        return [memory[offset : offset + prod(size)].reshape(size) for offset, size in places]

    def add(self, memory: np.ndarray, view: AccumulatorView) -> None:
        """Add the logits of the window in the first buffer to an accumulator of their size.

        Raises MemoryError.
        """
        buffers, last = self.buffers(memory), self.steps[-1]
        for step in self.steps[:-1]:
            step.run(buffers)
        if isinstance(last, Convolution) and set(last.weights.kernel.shape[2:]) == {1}:
            last.add(buffers, view)
            return
        last.run(buffers)
        added = self.kernels.accumulate(buffers[self.logits][0], view)
        assert added, "accumulators of windows have contiguous rows"


def plan_program(
    kernels: NativeKernels, steps: Sequence[Step], sizes: Sequence[Size], logits: int
) -> Program:
    """Plan where the buffers of a program lie: those that are never needed at once may share their place.

    The largest come first, each at the lowest offset that is free as long as it is needed.
    """
    lives = _lifetimes(steps, len(sizes), logits)
    offsets = {WINDOW: 0}
    for buffer in sorted(lives, key=lambda buffer: -prod(sizes[buffer])):
        if buffer == WINDOW:
            continue
        offset = 0
        for other in sorted(offsets, key=offsets.__getitem__):
            meets = lives[buffer].start < lives[other].stop and lives[other].start < lives[buffer].stop
            if meets and offset + prod(sizes[buffer]) > offsets[other]:
                offset = max(offset, _aligned(offsets[other] + prod(sizes[other])))
        offsets[buffer] = offset
    planned = tuple(offsets[buffer] for buffer in range(len(sizes)))
    return Program(kernels, tuple(steps), tuple(sizes), planned, logits)


def _lifetimes(steps: Sequence[Step], count: int, logits: int) -> dict[int, range]:
    """From the step that first writes a buffer to the last that uses it."""
    lives = {WINDOW: range(len(steps))}
    for index, step in enumerate(steps):
        for buffer in (*step.writes, *step.reads):
            lives[buffer] = range(lives.get(buffer, range(index, index)).start, index + 1)
    lives[WINDOW] = range(len(steps))
    lives[logits] = range(lives[logits].start, len(steps))
    assert len(lives) == count, "each buffer is used"
    return lives


def _aligned(floats: int) -> int:
    return -(-floats // ALIGNMENT) * ALIGNMENT


def aligned_floats(count: int) -> np.ndarray:
    """Working memory of so many floats, aligned as its buffers are."""
    floats = np.empty(count + ALIGNMENT, np.float32)
    first = -(floats.ctypes.data // floats.itemsize) % ALIGNMENT
    return floats[first : first + count]
