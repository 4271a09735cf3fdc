from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from segcube.challenges import challenge_keys, load_challenge
from segcube.errors import UsageError

OWN = {
    "key": "liver",
    "title": "One's own",
    "case": r"liver_\d+",
    "made_case": "liver_{number}",
    "layout": "folders",
    "channels": [{"name": "ct", "suffixes": [""]}],
    "reference": "ct",
    "labels": {"background": 0, "liver": 1},
    "regions": {"liver": ["liver"]},
    "scored": ["liver"],
    "write": [{"region": "liver", "label": "liver"}],
    "geometry": {"fixed": False, "grids": [{"shape": [9, 9, 9], "spacing": [1, 1, 1]}]},
}
CT = [{"name": "ct", "suffixes": ["_ct"]}]


@pytest.fixture
def save(tmp_path):
    def write(**changes) -> Path:
        file = tmp_path / "own.yaml"
        file.write_text(yaml.safe_dump(OWN | {"channels": CT} | changes))
        return file

    return write


def test_an_unknown_key_lists_the_known_ones():
    with pytest.raises(UsageError) as caught:
        load_challenge("brats1999")
    assert all(key in str(caught.value) for key in challenge_keys())


@pytest.mark.parametrize("key", ["", "../data/mbas2024", "MBAS2024", "mbas2024.txt"])
def test_a_key_is_no_path(key):
    with pytest.raises(UsageError, match="no challenge"):
        load_challenge(key)


def test_a_file_of_ones_own_serves(save):
    challenge = load_challenge(save())
    assert challenge.output_name("liver_1") == "liver_1.nii.gz"
    assert challenge.metrics.profile == "plain"
    assert load_challenge(str(save())) == challenge


def test_an_unknown_key_of_a_file_names_the_valid_ones(save):
    with pytest.raises(UsageError, match=r"own\.yaml.*'colour'.*made_case.*label_suffixes"):
        load_challenge(save(colour="red"))


def test_an_unknown_key_inside_names_the_valid_ones_there(save):
    with pytest.raises(UsageError, match=r"'channels\.0\.suffix'; valid keys there: name, suffixes"):
        load_challenge(save(channels=[{"name": "ct", "suffixes": ["_ct"], "suffix": "_ct"}]))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"case": "("}, "regular expression"),
        ({"made_case": "lung_{number}"}, "lung_1"),
        ({"reference": "mr"}, "mr"),
        ({"channels": CT + CT}, "repeat"),
        ({"labels": {"background": 1, "liver": 2}}, "background"),
        ({"labels": {"background": 0, "liver": 1, "lung": 1}}, "label values repeat"),
        ({"labels": {"background": 0, "liver": -1}}, "labels.liver"),
        ({"regions": {"liver": ["spleen"]}}, "spleen"),
        ({"scored": ["spleen"]}, "spleen"),
        ({"write": [{"region": "liver", "label": "spleen"}]}, "spleen"),
        ({"output": "all.nii.gz"}, "all.nii.gz"),
        ({"output": "{case}.nii"}, ".nii.gz"),
        ({"evaluator_pattern": r"\d{5}\.nii"}, "evaluator_pattern"),
        ({"layout": "heap"}, "heap"),
        ({"metrics": {"profile": "best"}}, "best"),
        ({"geometry": {"fixed": True, "grids": []}}, "grids"),
        (
            {
                "geometry": {
                    "fixed": True,
                    "grids": [{"shape": [9, 9, 9], "spacing": [1, 1, 1], "orientation": "LLS"}],
                }
            },
            "three letters",
        ),
    ],
)
def test_what_cannot_be_is_named(save, change, told):
    with pytest.raises(UsageError) as caught:
        load_challenge(save(**change))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"- a", b"a: [", b"\xff\xfe\x00", b"!!python/object/apply:os.system [exit]"]
)
def test_what_is_no_challenge_file_is_refused(tmp_path, content):
    file = tmp_path / "own.yaml"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=r"own\.yaml"):
        load_challenge(file)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        load_challenge(tmp_path / "none.yaml")
