import numpy as np
import pytest

from segcube.spec.submission import Fill, KeepComponents, Nest, Retry
from segcube.tools.tune.judge import Blended, Judge
from segcube.tools.tune.search_space import FilterKnob, ThresholdKnob, WeightKnob, starting_point
from segcube.transforms import label_map

NAMES = ("TC", "WT", "ET")
RULES = (
    KeepComponents(rule="keep_components", region="ET", min_voxels=2),
    KeepComponents(rule="keep_components", region="WT", min_voxels=5, unless_holds={"region": "ET"}),
    Nest(rule="nest", order=("ET", "TC", "WT")),
    KeepComponents(rule="keep_components", region="WT", min_voxels=6),
    Fill(rule="fill", regions=("TC",)),
    Retry(rule="retry", region="ET", factor=0.5),
)


def start_of(members=1, rules=()):
    return starting_point(rules, NAMES, "regions", ((1.0, 1.0, 1.0),) * members)


@pytest.fixture
def noisy(make_case):
    """A case of random probabilities, three members."""
    rng = np.random.default_rng(0)
    return make_case(members=rng.random((2, 3, 16, 12, 10)).astype(np.float16) ** 2)


def test_a_threshold_below_the_probability_finds_the_lesion(make_case, glioma, overlap):
    case = make_case(inside=0.35)
    judge = Judge(case, glioma, overlap(case))
    low = ThresholdKnob("WT").turn(start_of(), 0.3)
    assert judge.scores(start_of())["WT"] == 0.0
    assert judge.scores(low) == {"WT": 1.0, "TC": 1.0, "ET": 1.0}


def test_random_points_score_as_a_run_would(noisy, glioma, overlap):
    judge = Judge(noisy, glioma, overlap(noisy))
    rng = np.random.default_rng(1)
    for _ in range(40):
        point = start_of(3, RULES)
        for region in NAMES:
            point = ThresholdKnob(region).turn(point, float(rng.choice([0.2, 0.4, 0.6])))
            channel = NAMES.index(region)
            point = WeightKnob(1, channel, "").turn(point, float(rng.choice([0, 0.5, 1])))
        for index, rule in enumerate(point.rules):
            if isinstance(rule, KeepComponents):
                point = FilterKnob(index, rule.region, "min_voxels").turn(point, int(rng.choice([0, 4, 30])))
                point = FilterKnob(index, rule.region, "max_count").turn(point, int(rng.choice([1, 3])))
        weights = np.array(point.weights, np.float32)[:, :, None, None, None]
        mean_kxyz = (noisy.members_mkxyz * weights).sum(axis=0) / weights.sum(axis=0)
        labels_xyz = label_map(Blended(NAMES, "regions", mean_kxyz), point.rules, glioma)
        direct = {region: overlap(noisy)(region, labels_xyz) for region in glioma.scored}
        assert judge.scores(point) == direct


def test_points_that_decide_alike_are_scored_once(make_case, glioma, overlap):
    case = make_case(inside=0.9, specks=0.9)
    judge = Judge(case, glioma, overlap(case))
    index = next(i for i, rule in enumerate(start_of().rules) if getattr(rule, "region", "") == "WT")
    judge.scores(start_of())
    before = overlap.asked
    for bound in (2, 10, 200):
        # Specks of a voxel go at each of these bounds, the lesion of 216 at none
        judge.scores(FilterKnob(index, "WT", "min_voxels").turn(start_of(), bound))
    assert overlap.asked == before + 1


def test_a_region_whose_mask_stays_is_not_scored_again(make_case, glioma, overlap):
    case = make_case()
    judge = Judge(case, glioma, overlap(case))
    judge.scores(start_of())
    before = overlap.asked
    judge.scores(ThresholdKnob("WT").turn(start_of(), 0.3))
    assert overlap.asked == before + 1
