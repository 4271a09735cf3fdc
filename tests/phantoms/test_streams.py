import numpy as np
import pytest

from segcube.phantoms.streams import Streams


def test_a_stream_starts_anew_at_each_call():
    streams = Streams(3, 1)
    np.testing.assert_array_equal(streams("growth").random(4), streams("growth").random(4))


@pytest.mark.parametrize("other", [Streams(3, 1)("bias"), Streams(4, 1)("growth"), Streams(3, 2)("growth")])
def test_streams_differ_by_step_seed_and_index(other):
    assert Streams(3, 1)("growth").random() != other.random()


def test_the_numbers_are_those_of_every_machine():
    assert Streams(1, 2)("contrast").integers(1000, size=4).tolist() == [684, 77, 21, 513]
