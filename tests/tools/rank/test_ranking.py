import json

from segcube.tools.rank import rank_files


def test_the_json_tells_places_ranks_and_pairs(score_file):
    files = [
        score_file("a", dice=[0.5, "nan"], hd95=[3, "nan"]),
        score_file("b", dice=[0.6, 0.0], hd95=[2, "inf"]),
        score_file("c", dice=[0.4, 0.0], hd95=[4, "inf"]),
    ]
    told = json.loads(rank_files(files, ["dice", "hd95"], seed=3).as_json())
    assert told["metrics"] == {"dice": "higher is better", "hd95": "lower is better"}
    assert told["seed"] == 3
    assert list(told["submissions"]) == ["a", "b", "c"]
    assert told["submissions"]["a"] == {
        "place": 1,
        "rank": 1.5,
        "mean": {"dice": 0.5, "hd95": 3.0},
        "cases": {"case0": 2.0, "case1": 1.0},
    }
    assert [(pair["better"], pair["worse"]) for pair in told["pairs"]] == [("a", "b"), ("a", "c"), ("b", "c")]


def test_a_mean_of_nothing_is_nan_and_stands_as_a_word(score_file):
    files = [score_file(name, hd95=["inf"]) for name in "ab"]
    told = json.loads(rank_files(files, ["hd95"]).as_json())
    assert told["submissions"]["a"]["mean"]["hd95"] == "nan"


def test_equals_share_the_first_place(score_file):
    files = [score_file(name, dice=[0.5, 0.6]) for name in "ab"]
    ranking = rank_files(files, ["dice"])
    assert ranking.ranks.places.tolist() == [1, 1]
    assert ranking.pairs[0].p_value == 1.0
