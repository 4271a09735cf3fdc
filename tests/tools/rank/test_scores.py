import json
import math

import pytest

from segcube.core import UsageError
from segcube.tools.rank.scores import differing_versions, read_scores


def test_strings_of_infinite_values_are_read_as_numbers(score_file):
    files = [score_file("a", dice=["nan", "inf"]), score_file("b", dice=[1.0, 0.0])]
    first = read_scores(files)["a"].cases
    assert math.isnan(first["case0"]["WT"]["dice"])
    assert first["case1"]["WT"]["dice"] == math.inf


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"profile": "brats2024"}, "profile brats2024"),
        ({"challenge": "brats2023-ssa"}, "challenge brats2023-ssa"),
        ({"region": "ET"}, "regions of case0: lacks WT, adds ET"),
        ({"dice": [1.0]}, "cases: lacks case1"),
        ({"dice": [1.0] * 10}, "adds case2, case3, case4, case5, case6 and 3 more"),
    ],
)
def test_files_that_are_not_comparable_are_refused(score_file, changes, words):
    files = [score_file("a", dice=[1.0, 0.5]), score_file("b", **{"dice": [1.0, 0.5], **changes})]
    with pytest.raises(UsageError, match=words) as caught:
        read_scores(files)
    assert str(files[0]) in str(caught.value)
    assert str(files[1]) in str(caught.value)


def test_one_file_is_not_ranked(score_file):
    with pytest.raises(UsageError, match="two or more"):
        read_scores([score_file("a", dice=[1.0])])


def test_a_repeated_file_is_refused(score_file):
    file = score_file("a", dice=[1.0])
    with pytest.raises(UsageError, match="twice"):
        read_scores([file, file])


def test_files_of_one_stem_are_named_by_their_paths(score_file, tmp_path):
    first = score_file("scores", dice=[1.0])
    second = tmp_path / "other" / "scores.json"
    second.parent.mkdir()
    second.write_bytes(first.read_bytes())
    assert list(read_scores([first, second])) == [
        str(tmp_path / "scores"),
        str(tmp_path / "other" / "scores"),
    ]


@pytest.mark.parametrize(
    "content", ["no json", "{}", json.dumps({"profile": "p", "challenge": "c", "cases": {}})]
)
def test_other_files_are_refused(score_file, tmp_path, content):
    broken = tmp_path / "broken.json"
    broken.write_text(content)
    with pytest.raises(UsageError, match=r"broken\.json.*segcube evaluate"):
        read_scores([score_file("a", dice=[1.0]), broken])


def test_a_missing_file_is_refused(score_file, tmp_path):
    with pytest.raises(UsageError, match=r"gone\.json: no such file"):
        read_scores([score_file("a", dice=[1.0]), tmp_path / "gone.json"])


def test_differing_versions_are_found(score_file):
    one = score_file("a", dice=[1.0], versions={"segcube": "1", "numpy": "2"})
    two = score_file("b", dice=[1.0], versions={"segcube": "2", "numpy": "2"})
    assert differing_versions(read_scores([one, two])) == ("segcube",)
