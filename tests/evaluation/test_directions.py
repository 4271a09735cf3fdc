import numpy as np
import pytest

from segcube.core import UsageError
from segcube.evaluation import OBJECTIVES, counted_metrics, direction_of
from segcube.evaluation.directions import COUNTED
from segcube.evaluation.profiles.score import score_labels
from segcube.spec.challenges import load_challenge


def test_every_counted_metric_has_a_direction():
    for profile, metrics in COUNTED.items():
        assert list(counted_metrics(profile)) == list(metrics)


def test_every_profile_scores_the_metrics_that_it_counts():
    labels_xyz = np.ones((4, 4, 4), np.uint8)
    for challenge in map(load_challenge, ("brats2023-gli", "brats2026-met", "mbas2024")):
        regions = score_labels(labels_xyz, labels_xyz, (1.0, 1.0, 1.0), challenge).regions
        assert all(set(COUNTED[challenge.metrics.profile]) <= set(scores) for scores in regions.values())


def test_objectives_are_better_the_higher():
    assert [metric for metric in OBJECTIVES.values() if not direction_of(metric).higher_is_better] == []


def test_fewer_errors_are_better():
    assert not direction_of("num_fp").higher_is_better
    assert not direction_of("num_fn_small").higher_is_better
    assert direction_of("num_tp").higher_is_better


def test_tolerance_unit_and_size_do_not_change_the_direction():
    assert direction_of("lesionwise_nsd_0.5") == direction_of("lesionwise_nsd")
    assert direction_of("nsd_2").higher_is_better
    assert direction_of("hd95_mm") == direction_of("hd95_voxels") == direction_of("hd95")
    assert direction_of("nsd_0.5_mm").higher_is_better
    assert direction_of("f1_small").higher_is_better


def test_chosen_metrics_replace_the_profiles():
    assert list(counted_metrics("brats2024", ["lesionwise_dice"])) == ["lesionwise_dice"]


def test_a_metric_without_a_direction_is_refused():
    with pytest.raises(UsageError, match="volume_pred"):
        counted_metrics("brats2023", ["volume_pred"])


def test_a_profile_that_counts_nothing_is_refused():
    with pytest.raises(UsageError, match="profile own"):
        counted_metrics("own")
