import numpy as np

from segcube.phantoms.heart.contrast import draw_levels


def test_blood_is_bright_and_lung_is_dark():
    for seed in range(50):
        tissues = draw_levels(np.random.default_rng(seed)).tissues
        assert tissues["blood"] == 1
        assert tissues["lung"] < 0.3
        assert tissues["muscle"] <= 0.9


def test_scar_is_brighter_than_muscle_in_most_scans():
    drawn = [draw_levels(np.random.default_rng(seed)).tissues for seed in range(50)]
    assert np.mean([tissues["scar"] > tissues["muscle"] for tissues in drawn]) > 0.9
