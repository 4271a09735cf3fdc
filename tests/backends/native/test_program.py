"""The plan of a program's buffers, and runs of one program from several threads."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest

from segcube.backends.native.installed import constants
from segcube.backends.native.kernels import Affine, ConvWeights, NativeKernels
from segcube.backends.native.layers import Buffers, Convolution, Image, InstanceNorm
from segcube.backends.native.program import ALIGNMENT, WINDOW, Program, aligned_floats, plan_program
from segcube.backends.protocol import AccumulatorView

SIZE = (6, 8, 10)


@dataclass(frozen=True)
class Use:
    """A step that only uses buffers."""

    reads: tuple[int, ...]
    writes: tuple[int, ...]

    def run(self, buffers: Buffers) -> None:
        raise NotImplementedError


def offsets(steps: Sequence[Use], floats: Sequence[int]) -> tuple[int, ...]:
    sizes = [(count,) for count in floats]
    return plan_program(None, steps, sizes, logits=len(sizes) - 1).offsets  # type: ignore[arg-type]


def test_a_buffer_takes_the_place_of_one_that_is_needed_no_more():
    chain = [Use((0,), (1,)), Use((1,), (2,)), Use((2,), (3,))]
    assert offsets(chain, [16, 32, 32, 32]) == (0, 16, 48, 16)


def test_a_skip_keeps_its_place_until_it_is_read():
    with_skip = [Use((0,), (1,)), Use((1,), (2,)), Use((1, 2), (3,))]
    assert offsets(with_skip, [16, 32, 32, 32]) == (0, 16, 48, 80)


def test_the_window_and_the_logits_keep_theirs_to_the_end():
    early = [Use((0,), (2,)), Use((2,), (1,)), Use((1,), (1,))]
    assert offsets(early, [16, 32, 32]) == (0, 48, 16)


def test_buffers_are_aligned():
    assert offsets([Use((0,), (1,))], [ALIGNMENT - 1, 5]) == (0, ALIGNMENT)
    assert aligned_floats(3).ctypes.data % (4 * ALIGNMENT) == 0
    assert aligned_floats(3).shape == (3,)


def conv_weights(outputs: int, channels: int, edge: int) -> ConvWeights:
    kernel = constants(outputs, channels, edge, edge, edge)
    return ConvWeights(kernel, None, (1,) * 3, (edge // 2,) * 3)


@pytest.fixture
def program(kernels: NativeKernels) -> Program:
    """A convolution that is normalised in place, and one to the logits."""
    affine = Affine(constants(8), constants(8), 1e-5, 0.1)
    steps = [
        Convolution(kernels, (Image(WINDOW),), Image(1, 2), conv_weights(8, 4, 3)),
        InstanceNorm(kernels, (Image(1, 2, affine),), Image(1), 1.0),
        Convolution(kernels, (Image(1),), Image(3), conv_weights(2, 8, 1)),
    ]
    sizes = [(1, 4, *SIZE), (1, 8, *SIZE), (8, 2), (1, 2, *SIZE)]
    return plan_program(kernels, steps, sizes, logits=3)


def summed(program: Program, seed: int) -> np.ndarray:
    memory, sum_kxyz = aligned_floats(program.floats), np.zeros((2, *SIZE), np.float32)
    window_ncxyz = program.buffers(memory)[WINDOW]
    window_ncxyz[...] = np.random.default_rng(seed).standard_normal(window_ncxyz.shape, np.float32)
    for _ in range(2):
        program.add(memory, AccumulatorView(sum_kxyz, np.ones(2)))
    return sum_kxyz


def test_a_program_adds_its_logits_as_often_as_it_runs(program):
    memory, sum_kxyz = aligned_floats(program.floats), summed(program, 0)
    buffers = program.buffers(memory)
    buffers[WINDOW][...] = np.random.default_rng(0).standard_normal((1, 4, *SIZE), np.float32)
    for step in program.steps:
        step.run(buffers)
    np.testing.assert_allclose(sum_kxyz, 2 * buffers[program.logits][0], rtol=1e-6)


def test_eight_threads_with_memory_of_their_own_share_a_program(program):
    expected = [summed(program, seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(summed, [program] * 8, range(8)))
    assert [sum_kxyz.tobytes() for sum_kxyz in found] == [sum_kxyz.tobytes() for sum_kxyz in expected]
