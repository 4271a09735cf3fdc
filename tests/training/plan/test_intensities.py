import numpy as np
import pytest

from segcube.training.plan import intensities
from segcube.training.plan.intensities import (
    Counts,
    add_counts,
    intensities_of,
    merge_counts,
    sample_foreground,
    samples_per_case,
)


def expanded(counts: Counts) -> np.ndarray:
    return np.repeat(counts.values, counts.counts)


@pytest.fixture
def voxels_n() -> np.ndarray:
    return np.random.default_rng(0).normal(100, 20, 50).astype(np.float32)


def test_samples_are_those_of_numpys_choice(voxels_n):
    stream = np.random.RandomState(1234)
    expected = [stream.choice(voxels_n + channel, 300, replace=True) for channel in range(2)]
    found = sample_foreground([voxels_n, voxels_n + 1], 300)
    for counts, values in zip(found, expected, strict=True):
        np.testing.assert_array_equal(expanded(counts), np.sort(values))


def test_samples_do_not_depend_on_how_many_are_drawn_at_a_time(voxels_n, monkeypatch):
    whole = sample_foreground([voxels_n], 300)[0]
    monkeypatch.setattr(intensities, "CHUNK", 7)
    np.testing.assert_array_equal(sample_foreground([voxels_n], 300)[0].counts, whole.counts)


def test_no_voxels_give_no_samples_and_leave_the_stream(voxels_n):
    empty, counts = sample_foreground([voxels_n[:0], voxels_n], 300)
    assert intensities_of(empty) is None
    np.testing.assert_array_equal(counts.counts, sample_foreground([voxels_n], 300)[0].counts)


def test_merging_adds_equal_values_as_soon_as_many_wait(monkeypatch):
    monkeypatch.setattr(intensities, "MERGE_AT", 2)
    parts: list[Counts] = []
    for _ in range(3):
        add_counts(parts, Counts(np.float32([1, 2]), np.array([3, 4])))
    assert len(parts) == 1
    merged = merge_counts(parts)
    assert (merged.values.tolist(), merged.counts.tolist()) == ([1, 2], [9, 12])


def test_statistics_are_numpys_of_all_samples(voxels_n):
    counts = sample_foreground([voxels_n.round()], 301)[0]
    values = expanded(counts).astype(np.float64)
    found = intensities_of(counts)
    assert found is not None
    percentiles = np.percentile(values, [0.5, 50, 99.5])
    assert (found.percentile_00_5, found.median, found.percentile_99_5) == pytest.approx(percentiles)
    assert (found.mean, found.std) == pytest.approx((values.mean(), values.std()))
    assert (found.min, found.max) == (values.min(), values.max())


def test_statistics_by_hand():
    found = intensities_of(Counts(np.float32([2, 8]), np.array([3, 1])))
    assert found is not None
    # 2, 2, 2, 8: the last percentile lies at 2.985 of 0..3
    assert (found.mean, found.std, found.median) == (3.5, pytest.approx(27**0.5 / 2), 2)
    assert found.percentile_99_5 == pytest.approx(2 + 6 * 0.985)


def test_every_case_weighs_the_same():
    assert [samples_per_case(cases) for cases in (1, 3)] == [100_000_000, 33_333_333]
