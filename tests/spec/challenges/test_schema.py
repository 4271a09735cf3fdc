from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import yaml

from segcube.core import UsageError
from segcube.spec.challenges import load_challenge

OWN = {
    "key": "liver",
    "title": "Liver",
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


@pytest.fixture
def error_of(save):
    def message(change) -> str:
        with pytest.raises(UsageError) as caught:
            load_challenge(save(**change))
        return str(caught.value)

    return message


def test_a_challenge_file_can_be_loaded(save):
    challenge = load_challenge(save())
    assert challenge.output_name("liver_1") == "liver_1.nii.gz"
    assert challenge.metrics.profile == "plain"
    assert load_challenge(str(save())) == challenge


def test_an_unknown_key_is_an_error_with_the_valid_ones(save):
    with pytest.raises(UsageError, match=r"own\.yaml.*'colour'.*made_case.*label_suffixes"):
        load_challenge(save(colour="red"))


def test_an_unknown_nested_key_is_an_error_with_the_valid_ones(save):
    with pytest.raises(UsageError, match=r"'channels\.0\.suffix'; valid keys: name, suffixes"):
        load_challenge(save(channels=[{"name": "ct", "suffixes": ["_ct"], "suffix": "_ct"}]))


@pytest.mark.parametrize(
    ("pattern", "case", "patient"),
    [
        (None, "BraTS-GLI-00001-000", "BraTS-GLI-00001"),
        (None, "HOSP-001_pre", "HOSP-001_pre"),
        (r"HOSP-\d{3}", "HOSP-001_pre", "HOSP-001"),
        (r"HOSP-\d{3}", "other_1", "other_1"),
    ],
)
def test_the_patient_is_a_part_of_the_case_name(pattern, case, patient, save):
    assert load_challenge(save(patient=pattern)).patient_of(case) == patient


INCONSISTENT = [
    ({"case": "("}, "regular expression"),
    ({"patient": "("}, "regular expression"),
    ({"made_case": "lung_{number}"}, "lung_1"),
    ({"reference": "mr"}, "mr"),
    ({"labels": {"background": 1, "liver": 2}}, "background"),
    ({"labels": {"background": 0, "liver": 1, "lung": 1}}, "duplicate label values"),
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
]


def test_inconsistent_files_are_errors(error_of):
    assert [row for row in INCONSISTENT if row[1] not in error_of(row[0])] == []


GRID = {"shape": [9, 9, 9], "spacing": [1, 1, 1]}
LESIONS = {
    "profile": "brats2024",
    "regions": {"liver": {"dilation": 1, "threshold": 2}},
    "penalty": 374,
    "missing_case": 374,
}
INSTANCES = {"profile": "brats2026"}


def grid(**changes):
    return {"geometry": {"fixed": True, "grids": [GRID | changes]}}


def lesions(**changes):
    return {"metrics": LESIONS | changes}


OUT_OF_BOUNDS = [
    ({"key": "a b"}, "'key'.*pattern"),
    ({"key": "a" * 101}, "'key'.*at most 100"),
    ({"title": "a\nb"}, "'title'.*unprintable"),
    ({"case": ""}, "'case'.*at least 1"),
    ({"case": "liver_\\d+" + " *" * 300}, "'case'.*at most 500"),
    ({"aliases": ["a", "a"]}, "'aliases'.*duplicate entries: a"),
    ({"made_case": "liver_1"}, "'made_case'.*with {number}"),
    ({"channels": [{"name": "ct", "suffixes": []}]}, "suffixes'.*at least 1"),
    ({"channels": [{"name": "ct", "suffixes": [""]}]}, "suffixes.0'.*at least 1"),
    ({"channels": [{"name": "ct", "suffixes": ["/ct"]}]}, "suffixes.0'.*without slash"),
    ({"channels": [{"name": "ct", "suffixes": ["_a", "_a"]}]}, "suffixes'.*duplicate entries: _a"),
    ({"channels": [*CT, {"name": "ct", "suffixes": ["_b"]}]}, "duplicate channels: ct"),
    ({"channels": [*CT, {"name": "mr", "suffixes": ["_ct"]}]}, "duplicate suffixes: _ct"),
    ({"label_suffixes": ["_ct"]}, "duplicate suffixes: _ct"),
    ({"labels": {"background": 0, "liver": 65536}}, "labels.liver'.*less than or equal to 65535"),
    ({"regions": {"liver": ["liver", "liver"]}}, "regions.liver'.*duplicate entries: liver"),
    (
        {"regions": {"liver": ["background", "liver"]}},
        "region liver: unknown background; expected one of liver",
    ),
    ({"write": [{"region": "liver", "label": "liver"}] * 2}, "duplicate regions in write: liver"),
    ({"write": []}, "'write'.*at least 1"),
    (grid(shape=[0, 1, 1]), "shape.0'.*greater than or equal to 1"),
    (grid(shape=[1, 1, 32768]), "shape.2'.*less than or equal to 32767"),
    (grid(spacing=[1, 1, 0]), "spacing.2'.*greater than or equal to 0.0001"),
    (grid(spacing=[1, 1, math.nan]), "spacing.2'.*finite"),
    (lesions(regions={"liver": {"dilation": 101, "threshold": 2}}), "dilation'.*equal to 100"),
    (lesions(regions={"liver": {"dilation": 1, "threshold": math.nan}}), "threshold'.*finite"),
    (lesions(regions={}), "metrics.regions are .*scored"),
    (lesions(penalty=-1), "penalty.*greater than 0"),
    (lesions(nsd_tolerances=[1, 1]), "nsd_tolerances'.*duplicate entries: 1"),
    (lesions(nsd_tolerances=[0]), "nsd_tolerances.0'.*greater than 0"),
    (
        lesions(relabel_touching={"lung": ["liver"]}),
        "relabel_touching: unknown lung; expected one of liver",
    ),
    (lesions(relabel_touching={"liver": ["lung"]}), "relabel_touching liver: unknown lung"),
    ({"metrics": INSTANCES | {"match_at": 2}}, "match_at'.*less than or equal to 1"),
    ({"metrics": INSTANCES | {"missing_case": 0}}, "missing_case'.*greater than 0"),
    ({"metrics": INSTANCES | {"nsd_tolerance": 0}}, "nsd_tolerance'.*greater than 0"),
    (
        {"metrics": INSTANCES | {"small_lesions": {"below": math.nan, "detected_at": 0.2}}},
        "below'.*finite",
    ),
    (
        {"metrics": INSTANCES | {"small_lesions": {"below": 27, "detected_at": 2}}},
        "detected_at'.*equal to 1",
    ),
]


def test_values_out_of_bounds_are_errors(error_of):
    assert [row for row in OUT_OF_BOUNDS if not re.search(row[1], error_of(row[0]))] == []


def test_other_files_are_errors(tmp_path):
    file = tmp_path / "own.yaml"
    for content in (b"", b"- a", b"a: [", b"\xff\xfe\x00", b"!!python/object/apply:os.system [exit]"):
        file.write_bytes(content)
        with pytest.raises(UsageError, match=r"own\.yaml"):
            load_challenge(file)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        load_challenge(tmp_path / "none.yaml")


RED_AND_GREEN = [{"name": name, "suffixes": ["_0"], "component": n} for n, name in enumerate(("ct", "G"))]


def test_images_are_written_as_images(error_of):
    found = error_of({"format": "png"})
    assert "output '{case}.nii.gz' with format png; expected a name in .png" in found


def test_components_belong_to_images(error_of, save):
    found = error_of({"channels": RED_AND_GREEN})
    assert "component of channels with format nifti; expected format: png" in found
    challenge = load_challenge(save(channels=RED_AND_GREEN, format="png", output="{case}.png"))
    assert challenge.components == {"ct": 0, "G": 1}
    assert (challenge.stem("a.png"), challenge.stem("a.nii.gz")) == ("a", None)


def test_a_component_is_listed_once(error_of):
    twice = [channel | {"component": 1} for channel in RED_AND_GREEN]
    assert "suffixes" in error_of({"channels": twice, "format": "png", "output": "{case}.png"})
