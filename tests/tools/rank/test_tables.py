from segcube.tools.rank.ranking import Pair
from segcube.tools.rank.tables import pair_lines

CASES = {"c1": 1.0, "c0": 0.0, "c2": -0.5}


def test_a_pair_is_described_by_its_difference_and_cases():
    pair = Pair("a", "b", 0.5, 0.03125, 1, 1, {"WT": {"dice": 0.012, "hd95": 2.0}}, CASES)
    assert pair_lines(pair) == [
        "a beats b by 0.500 ranks, p = 0.0312: better in 1 case, equal in 1, worse in 1",
        "  WT: dice +0.012, hd95 +2 (worse)",
        "  best in c1 (+1.00)",
        "  worst in c2 (-0.50)",
    ]


def test_equals_rank_alike():
    pair = Pair("a", "b", 0.0, 1.0, 0, 0, {"WT": {"dice": 0.0}}, {"c0": 0.0})
    assert pair_lines(pair)[0] == "a and b rank alike: better in 0 cases, equal in 1, worse in 0"
