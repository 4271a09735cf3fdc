from __future__ import annotations

import json
from pathlib import Path

import pytest

from segcube.core import Case, UsageError
from segcube.training.cases import (
    DataError,
    Folds,
    LabelledCase,
    Split,
    load_folds,
    make_folds,
    read_folds,
    write_folds,
)

PATIENTS = {"a1": "a", "a2": "a", "b1": "b", "c1": "c", "d1": "d", "d2": "d"}


def case_of(name: str, patient: str | None = None) -> LabelledCase:
    images = {"t1c": Path(name) / f"{name}-t1c.nii.gz"}
    return LabelledCase(Case(name, images, "t1c"), Path(name) / f"{name}-seg.nii.gz", patient or name)


BOMB = "\n".join(["source: &a0 [x, x]", *(f"k{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 30))])
"""2**30 values in 600 characters."""
CASES = [case_of(name, patient) for name, patient in PATIENTS.items()]


def ugrip(file: Path, **folds: int) -> Path:
    """A list of BraTS-UGRIP: the fold of each case."""
    entries = [
        {"fold": fold, "image": [f"{name}/{name}-t2f.nii.gz"], "label": f"{name}/{name}-seg.nii.gz"}
        for name, fold in folds.items()
    ]
    file.write_text(json.dumps({"training": entries}))
    return file


def splits(file: Path, *folds: tuple[str, str]) -> Path:
    """nnU-Net's list: training and validation cases of each fold, with blanks between them."""
    file.write_text(json.dumps([{"train": train.split(), "val": val.split()} for train, val in folds]))
    return file


def codes(file: Path, cases=CASES) -> list[tuple[str, str]]:
    with pytest.raises(DataError) as caught:
        read_folds(file, cases)
    assert str(file) in str(caught.value)
    return [(problem.code.value, problem.case) for problem in caught.value.problems]


def test_every_case_is_validated_once_and_never_beside_its_patient():
    folds = make_folds(CASES, 3, seed=1)
    assert sorted(name for names in folds.validation for name in names) == sorted(PATIENTS)
    for fold in range(3):
        split = folds.split(fold)
        assert sorted(split.training + split.validation) == sorted(PATIENTS)
        assert not {PATIENTS[name] for name in split.training} & {PATIENTS[name] for name in split.validation}


def test_patients_that_names_do_not_show_are_kept_together():
    folds = make_folds(
        [case_of(name, patient) for name, patient in {"x": "p", "y": "q", "z": "p"}.items()], 2
    )
    assert {frozenset(names) for names in folds.validation} == {frozenset({"x", "z"}), frozenset({"y"})}


def test_the_seed_decides_the_folds_and_is_recorded():
    cases = [case_of(f"case{number}") for number in range(20)]
    assert make_folds(cases) == make_folds(cases, 5, 12345)
    assert make_folds(cases).validation != make_folds(cases, 5, 1).validation
    assert make_folds(cases).source == "by patient, seed 12345"


def test_cases_for_training_only_train_every_fold():
    folds = make_folds(CASES, 3, training_only=["b1"])
    assert all("b1" in folds.split(fold).training for fold in range(3))
    assert folds.training_only == ("b1",)


def test_a_patient_that_is_validated_cannot_be_for_training_only():
    with pytest.raises(DataError, match=r"FOLD_LEAK.*a1.*a2|FOLD_LEAK.*a2.*a1"):
        make_folds(CASES, 3, training_only=["a1"])


@pytest.mark.parametrize("count", [0, 1, 5])
def test_each_fold_needs_a_patient(count):
    with pytest.raises(UsageError, match="of 4 patients"):
        make_folds(CASES, count)


def test_all_trains_on_every_case():
    folds = Folds(source="mine", validation=(("b",), ("a",)), training_only=("c",))
    assert folds.split("all") == Split(("a", "b", "c"), ())
    assert folds.split(0) == Split(("a", "c"), ("b",))


@pytest.mark.parametrize("fold", [-1, 2])
def test_another_fold_is_a_usage_error(fold):
    folds = Folds(source="mine", validation=(("b",), ("a",)))
    with pytest.raises(UsageError, match=r"expected 0 to 1, or all"):
        folds.split(fold)


@pytest.mark.parametrize("training", [None, (("b1", "c1", "x"), ("a1", "a2"))])
def test_folds_are_written_and_read(tmp_path, training):
    folds = Folds(
        source="mine: 1", validation=(("a1", "a2"), ("b1", "c1")), training_only=("x",), training=training
    )
    write_folds(folds, tmp_path / "folds.yaml")
    assert load_folds(tmp_path / "folds.yaml") == folds
    listed = [case_of(name, name[0]) for name in folds.cases]
    assert read_folds(tmp_path / "folds.yaml", listed) == folds


def test_names_that_yaml_takes_for_numbers_stay_names(tmp_path):
    folds = Folds(source="mine", validation=(("001", "1e3"), ("yes", "null")))
    write_folds(folds, tmp_path / "folds.yaml")
    assert load_folds(tmp_path / "folds.yaml") == folds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "source: x\nvalidation: [[a], [b]]\nfolds: 2\n",
            "unknown key 'folds'; valid keys: source, validation",
        ),
        ("source: x\nvalidation: [[a], [a]]\n", "duplicate cases in validation and training_only: a"),
        ("source: x\nvalidation: [[a], [b]]\ntraining_only: [b]\n", "duplicate cases"),
        ("source: x\nvalidation: [[a], []]\n", "a fold without validation cases"),
        ("source: x\nvalidation: []\n", "validation"),
        ("validation: [[a]]\n", "'source' is missing"),
        ("source: x\nvalidation: [[1]]\n", "validation"),
        ("source: x\nvalidation: [['../a'], [b]]\n", "not a path outside the folder"),
        ("source: x\nvalidation: [[a], [b]]\ntraining: [[b]]\n", "1 folds in training and 2 in validation"),
        (BOMB, "values with aliases expanded"),
        ("[" * 1000, "levels of nesting"),
    ],
)
def test_an_invalid_folds_yaml_is_a_usage_error(tmp_path, text, message):
    (tmp_path / "folds.yaml").write_text(text)
    with pytest.raises(UsageError, match=message):
        load_folds(tmp_path / "folds.yaml")


def test_lists_of_brats_ugrip_are_read_as_they_are(tmp_path):
    file = ugrip(tmp_path / "folds.json", a1=0, a2=0, b1=1, c1=-1, d1=1, d2=1)
    folds = read_folds(file, CASES)
    assert folds == Folds(
        source="folds.json", validation=(("a1", "a2"), ("b1", "d1", "d2")), training_only=("c1",)
    )
    assert folds.split(0).training == ("b1", "c1", "d1", "d2")


def test_cases_are_recognised_by_their_label_maps_in_other_folders(tmp_path):
    entries = [{"fold": fold, "label": f"labels/{name}-seg.nii.gz"} for fold, name in enumerate(["b1", "c1"])]
    (tmp_path / "list.json").write_text(json.dumps({"training": entries}))
    assert read_folds(tmp_path / "list.json", [CASES[2], CASES[3]]).validation == (("b1",), ("c1",))


def test_splits_of_nnunet_are_read_as_they_are(tmp_path):
    file = splits(tmp_path / "splits_final.json", ("b1 c1 d1 d2", "a1 a2"), ("a1 a2 c1", "b1 d1 d2"))
    folds = read_folds(file, CASES)
    assert folds == Folds(
        source="splits_final.json", validation=(("a1", "a2"), ("b1", "d1", "d2")), training_only=("c1",)
    )


def test_training_cases_that_are_not_all_others_are_kept(tmp_path):
    file = splits(tmp_path / "splits_final.json", ("b1 c1", "a1 a2"), ("a1 a2", "b1 d1 d2"))
    folds = read_folds(file, CASES)
    assert folds.training == (("b1", "c1"), ("a1", "a2"))
    assert folds.split(0) == Split(("b1", "c1"), ("a1", "a2"))
    assert folds.split(1) == Split(("a1", "a2"), ("b1", "d1", "d2"))
    assert folds.split("all").training == tuple(PATIENTS)


ALL = {"a1": 0, "a2": 0, "b1": 1, "c1": 1, "d1": 2, "d2": 2}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"a2": 1}, [("FOLD_LEAK", "a1")]),
        ({"a2": -1}, [("FOLD_LEAK", "a1")]),
        ({"x9": 1}, [("FOLD_UNKNOWN", "x9")]),
        ({"d1": 3, "d2": 3}, [("FOLD_EMPTY", "")]),
        ({"c1": None}, [("FOLD_MISSING", "c1")]),
        (dict.fromkeys(ALL, 0), [("FOLD_EMPTY", "")]),
        (dict.fromkeys(ALL, -1), [("FOLD_EMPTY", "")]),
        ({"a1": 1, "c1": None}, [("FOLD_MISSING", "c1"), ("FOLD_LEAK", "a2")]),
    ],
)
def test_faulty_lists_are_refused_with_all_problems(tmp_path, changes, expected):
    listed = {name: fold for name, fold in (ALL | changes).items() if fold is not None}
    assert codes(ugrip(tmp_path / "list.json", **listed)) == expected


def test_a_leak_names_both_cases(tmp_path):
    with pytest.raises(DataError, match="fold 0 validates a1 and trains a2, both of the patient a"):
        read_folds(ugrip(tmp_path / "list.json", **ALL | {"a2": 1}), CASES)


def test_many_problems_are_counted(tmp_path):
    with pytest.raises(
        DataError,
        match=r"10 errors\nerror FOLD_UNKNOWN.*\(10 problems, also in x1, x2, x3, x4, x5 and 4 more\)$",
    ):
        read_folds(ugrip(tmp_path / "list.json", **ALL, **{f"x{number}": 0 for number in range(10)}), CASES)


@pytest.mark.parametrize(
    ("folds", "expected"),
    [
        ([("b1 c1", "a1 a2"), ("a1 a2", "b1 c1"), ("b1 c1", "d1 d2 a1")], [("FOLD_TWICE", "a1")]),
        ([("b1 c1 d1 d2 a1", "a1 a2"), ("a1 a2", "b1 c1 d1 d2")], [("FOLD_TWICE", "a1")]),
        ([("b1 b1 c1 d1 d2", "a1 a2"), ("a1 a2", "b1 c1 d1 d2")], [("FOLD_TWICE", "b1")]),
        ([("", "a1 a2"), ("a1 a2", "b1 c1 d1 d2")], [("FOLD_EMPTY", "")]),
        ([("a1 a2 b1 c1", "d1 d2"), ("a1 a2 b1 c1 d1 d2", "")], [("FOLD_EMPTY", "")]),
        ([("a1 b1 c1 d1 d2", "a2"), ("a1 a2 b1 c1", "d1 d2")], [("FOLD_LEAK", "a2")]),
    ],
)
def test_faulty_splits_are_refused_with_all_problems(tmp_path, folds, expected):
    assert codes(splits(tmp_path / "splits_final.json", *folds)) == expected


def test_a_case_in_two_folds_of_a_list_is_refused(tmp_path):
    file = ugrip(tmp_path / "list.json", **ALL)
    content = json.loads(file.read_text())
    content["training"].append(content["training"][2] | {"fold": -1})
    file.write_text(json.dumps(content))
    assert codes(file) == [("FOLD_TWICE", "b1")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"training": []}', "training"),
        ('{"train": []}', "'training' is missing"),
        ('{"training": [{"label": "a/a-seg.nii.gz"}]}', "training.0.fold' is missing"),
        ('{"training": [{"fold": "0", "label": "a"}]}', r"training\.0\.fold"),
        ('{"training": [{"fold": 1e9, "label": "a"}]}', r"training\.0\.fold"),
        ('{"training": [{"fold": 1000000, "label": "a"}]}', r"training\.0\.fold"),
        ('{"training": [{"fold": -2, "label": "a"}]}', r"training\.0\.fold"),
        ('[{"train": ["a"]}]', r"0\.val' is missing"),
        ('[{"train": "a", "val": "b"}]', "train"),
        ("7", "expected BraTS-UGRIP"),
        ("[" * 100_000, "levels of nesting"),
        ("", "cannot be read"),
    ],
)
def test_a_file_of_another_kind_is_a_usage_error(tmp_path, text, message):
    (tmp_path / "list.json").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_folds(tmp_path / "list.json", CASES)


def test_names_of_hostile_lists_are_only_compared(tmp_path):
    entries = [{"fold": 0, "label": name} for name in ("../../etc/passwd", "\n/x", "", "\x1b[2J")]
    (tmp_path / "list.json").write_text(json.dumps({"training": entries}))
    with pytest.raises(DataError) as caught:
        read_folds(tmp_path / "list.json", CASES[:1])
    assert all(text.isprintable() for text in (str(caught.value), *caught.value.__notes__))
    assert {problem.code.value for problem in caught.value.problems} >= {"FOLD_UNKNOWN", "FOLD_MISSING"}


def test_folds_of_another_run_may_list_its_further_data(tmp_path):
    file = tmp_path / "folds.yaml"
    write_folds(make_folds([*CASES, case_of("extra")], 2, training_only=["extra"]), file)
    with pytest.raises(DataError, match="lists 'extra', which is no labelled case"):
        read_folds(file, CASES)
    assert read_folds(file, CASES, of_other_run=True).training_only == ()
