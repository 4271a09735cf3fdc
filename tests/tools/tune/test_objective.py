import numpy as np
import pytest

from segcube.spec.submission import Fill, KeepComponents, Nest, Retry
from segcube.tools.tune.objective import CaseObjective, HostProbabilities
from segcube.tools.tune.search_space import build_search_space
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
SPACE = build_search_space((), NAMES, "regions", (), ((1.0, 1.0, 1.0),))


def scores_at(objective, space=SPACE, **changes):
    point = space.start | {name.replace("__", " "): value for name, value in changes.items()}
    return objective.scores(space.rules_at(point), space.weights_at(point))


@pytest.fixture
def noisy(make_case):
    """A case of random probabilities, three members."""
    rng = np.random.default_rng(0)
    return make_case(members=rng.random((2, 3, 16, 12, 10)).astype(np.float16) ** 2)


def test_a_threshold_below_the_probability_finds_the_lesion(make_case, glioma, overlap):
    case = make_case(inside=0.35)
    objective = CaseObjective(case, glioma, overlap(case))
    assert scores_at(objective)["WT"] == 0.0
    assert scores_at(objective, WT__threshold=0.3) == {"WT": 1.0, "TC": 1.0, "ET": 1.0}


def test_scores_at_random_points_equal_those_of_the_whole_map(noisy, glioma, overlap):
    objective = CaseObjective(noisy, glioma, overlap(noisy))
    space = build_search_space(RULES, NAMES, "regions", "abc", ((1.0, 1.0, 1.0),) * 3)
    rng = np.random.default_rng(1)
    for _ in range(40):
        point = dict(space.start)
        for region in NAMES:
            point[f"{region} threshold"] = float(rng.choice([0.2, 0.4, 0.6]))
            point[f"{region} weight of b"] = float(rng.choice([0, 0.5, 1]))
            point[f"{region} min_voxels"] = int(rng.choice([0, 4, 30]))
            point[f"{region} max_count"] = int(rng.choice([1, 3]))
        rules, rows = space.rules_at(point), space.weights_at(point)
        weights = np.array(rows, np.float32)[:, :, None, None, None]
        mean_kxyz = (noisy.members_mkxyz * weights).sum(axis=0) / weights.sum(axis=0)
        labels_xyz = label_map(HostProbabilities(NAMES, "regions", mean_kxyz), rules, glioma)
        direct = {region: overlap(noisy)(region, labels_xyz) for region in glioma.scored}
        assert objective.scores(rules, rows) == direct


def test_points_with_the_same_components_are_scored_once(make_case, glioma, overlap):
    case = make_case(inside=0.9, specks=0.9)
    objective = CaseObjective(case, glioma, overlap(case))
    scores_at(objective)
    before = overlap.calls
    for bound in (2, 10, 200):
        # Each of these drops the specks of a voxel and keeps the lesion of 216
        scores_at(objective, WT__min_voxels=bound)
    assert overlap.calls == before + 1


def test_a_region_with_the_same_mask_is_not_scored_again(make_case, glioma, overlap):
    case = make_case()
    objective = CaseObjective(case, glioma, overlap(case))
    scores_at(objective)
    before = overlap.calls
    scores_at(objective, WT__threshold=0.3)
    assert overlap.calls == before + 1
