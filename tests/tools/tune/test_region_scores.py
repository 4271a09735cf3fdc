import numpy as np
import pytest

from segcube.evaluation import OBJECTIVES
from segcube.evaluation.profiles import metrics_of
from segcube.evaluation.profiles.score import score_labels
from segcube.spec.challenges import load_challenge
from segcube.tools.tune.cases import CaseFiles, CaseLimits, TuningCase, read_case
from segcube.tools.tune.objective import CaseObjective, HostProbabilities
from segcube.tools.tune.region_scores import margin_of, region_score_of
from segcube.tools.tune.search_space import LOWEST, build_search_space
from segcube.transforms import label_map


def blobs(rng, shape, count):
    """Boxes of random position, size and value."""
    volume_xyz = np.zeros(shape, np.float16)
    for _ in range(count):
        start = [int(rng.integers(0, size - 6)) for size in shape]
        size = rng.integers(2, 6, 3)
        volume_xyz[tuple(slice(a, a + b) for a, b in zip(start, size, strict=True))] = rng.uniform(0.15, 0.9)
    return volume_xyz


@pytest.mark.parametrize(
    ("key", "profile"),
    [
        ("brats2023-gli", None),
        ("brats2024-gli", None),
        ("brats2026-met", None),
        ("mbas2024", None),
    ],
)
def test_the_objective_equals_the_score_of_the_whole_map(save, save_labels, tmp_path, key, profile):
    challenge = load_challenge(key)
    metrics = metrics_of(challenge, profile)
    names = tuple(challenge.scored)
    rng = np.random.default_rng(0)
    shape = (40, 36, 32)
    volume_kxyz = np.stack([blobs(rng, shape, 5) for _ in names])
    labels_xyz = np.zeros(shape, np.uint8)
    for value in list(challenge.labels.values())[1:]:
        labels_xyz[blobs(rng, shape, 3) > 0] = value
    save(tmp_path / "case.npz", volume_kxyz, names)
    file = save_labels(tmp_path / "case-seg.nii.gz", labels_xyz)
    case = read_case(
        "case", CaseFiles((), file, tmp_path / "case.npz"), (), CaseLimits(LOWEST, margin_of(metrics))
    )
    objective = CaseObjective(case, challenge, region_score_of(case, challenge, metrics))
    space = build_search_space([], names, "regions", (), ((1.0,) * len(names),))
    for threshold in (0.2, 0.5, 0.7, 0.5):
        rules = space.rules_at({**space.start, f"{names[0]} threshold": threshold})
        found_xyz = label_map(HostProbabilities(names, "regions", volume_kxyz), rules, challenge)
        whole = score_labels(found_xyz, labels_xyz, (1.0, 1.0, 1.0), challenge, profile).regions
        name = OBJECTIVES[metrics.profile]
        expected = {region: whole[region][name] for region in challenge.scored}
        assert objective.scores(rules, space.weights) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("key", "profile"),
    [("brats2023-gli", None), ("brats2026-goat", None), ("mbas2024", None)],
)
def test_two_empty_masks_score_1(key, profile):
    challenge = load_challenge(key)
    empty_xyz = np.zeros((4, 4, 4), np.uint8)
    nothing_kxyz = np.zeros((1, 4, 4, 4))
    case = TuningCase(
        "case", ("WT",), "regions", nothing_kxyz, nothing_kxyz[:0, None], (), empty_xyz, (1.0, 1.0, 1.0)
    )
    score = region_score_of(case, challenge, metrics_of(challenge, profile))
    assert [score(region, empty_xyz) for region in challenge.scored] == [1.0] * len(challenge.scored)
