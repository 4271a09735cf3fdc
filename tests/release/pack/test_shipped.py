from __future__ import annotations

from pathlib import Path

import yaml

from segcube.release.pack.shipped import copy_submissions, shipped_files
from segcube.spec.challenges import __path__ as challenges
from segcube.spec.submission import load_for_challenge

STRAYS = (
    "patient.nii.gz",
    ".env",
    "old.openvino",
    "LICENSE-key.txt",
    "README_patient-0001.txt",
    "fold9.safetensors",
)


def shipped(folder: Path) -> tuple[set[str], set[str]]:
    found = shipped_files(load_for_challenge(folder))
    return set(found.files), set(found.left_out)


def change(folder: Path, **entries: object) -> None:
    file = folder / "submission.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | entries))


def test_files_that_the_submission_names_are_shipped(tumour_submission):
    everything = {file.name for file in tumour_submission.iterdir()}
    assert {"submission.yaml", "openvino.yaml"} < everything
    assert shipped(tumour_submission) == (everything, set())


def test_documents_are_shipped(tumour_submission):
    names = {"MODEL_CARD.md", "LICENCE.txt", "LICENSE-Apache-2.0.txt", "CITATION.cff"}
    for name in names:
        (tumour_submission / name).touch()
    assert names <= shipped(tumour_submission)[0]


def test_stray_files_are_not_shipped_but_listed(tumour_submission):
    for name in STRAYS:
        (tumour_submission / name).touch()
    found = shipped_files(load_for_challenge(tumour_submission))
    assert sorted(found.left_out) == sorted(STRAYS)
    assert not found.files.keys() & set(STRAYS)
    assert {f"  {name}" for name in STRAYS} <= set(found.lines())


def test_a_folder_is_not_shipped(tumour_submission):
    (tumour_submission / "MODEL_CARD.md").mkdir()
    assert shipped(tumour_submission)[1] == {"MODEL_CARD.md/"}


def test_a_file_name_cannot_add_lines_to_the_list(tumour_submission):
    (tumour_submission / "a\n  LICENSE\x1b[2J").touch()
    assert r"  a\n  LICENSE\x1b[2J" in shipped_files(load_for_challenge(tumour_submission)).lines()


def own_challenge(folder: Path, name: str) -> None:
    data = Path(challenges[0]) / "data" / "brats2023-gli.yaml"
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(data.read_text())


def test_a_challenge_of_its_own_is_shipped(tumour_submission):
    own_challenge(tumour_submission, "own.yaml")
    own_challenge(tumour_submission, "unnamed.yaml")
    change(tumour_submission, serves=["own.yaml"])
    names, left_out = shipped(tumour_submission)
    assert "own.yaml" in names
    assert left_out == {"unnamed.yaml"}


def test_the_image_gets_each_submission_without_stray_files(tumour_submission, tmp_path):
    (tumour_submission / "id_rsa").touch()
    (tumour_submission.parent / "id_rsa").touch()
    copy_submissions(tumour_submission.parent, tmp_path / "image")
    found = {str(file.relative_to(tmp_path / "image")) for file in (tmp_path / "image").rglob("*.*")}
    expected = {f"tumour/{name}" for name in shipped_files(load_for_challenge(tumour_submission)).files}
    assert found == expected
    copy_submissions(tumour_submission, tmp_path / "one")
    assert (tmp_path / "one" / "submission.yaml").is_file()


def test_a_document_that_is_a_link_is_not_shipped(tumour_submission, tmp_path):
    (tmp_path / "id_rsa").write_text("a key")
    (tumour_submission / "NOTICE").symlink_to(tmp_path / "id_rsa")
    found = shipped_files(load_for_challenge(tumour_submission))
    assert "NOTICE" not in found.files
    assert "NOTICE" in found.left_out
