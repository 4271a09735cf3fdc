from __future__ import annotations

import errno
import os
import shutil
import tarfile

import pytest
import yaml

from segcube.core import EnvironmentFault, UsageError
from segcube.release.check.findings import FindingCode
from segcube.release.pack import PackRequest, Publication, check_and_pack
from segcube.release.pack import packing as pack
from segcube.release.pack.packing import check_for_packing, pack_submission
from segcube.spec.submission import read_submission

IMAGE = "docker.synapse.org/syn1/brats:1"


@pytest.fixture
def packed(tumour_submission, tmp_path):
    (tumour_submission / "MODEL_CARD.md").write_text("A card.")
    (tumour_submission / "patient.nii.gz").touch()
    return pack_submission(tumour_submission, IMAGE, tmp_path / "packed", Publication())


def names(archive):
    with tarfile.open(archive) as tar:
        return set(tar.getnames())


def test_the_archive_holds_what_synapse_takes_at_its_root(packed):
    assert names(packed.archive) == {
        "mlcube.yaml",
        "container_config.yaml",
        "parameters.yaml",
        "additional_files.tar.gz",
    }


def test_the_additional_files_hold_the_submission_at_their_root_and_no_stray_file(packed):
    held = names(packed.folder / "additional_files.tar.gz")
    assert {"submission.yaml", "MODEL_CARD.md"} < held
    assert "patient.nii.gz" not in held
    assert not (packed.folder / "workspace" / "additional_files" / "patient.nii.gz").exists()
    assert not any("/" in name for name in held)


def test_both_files_name_the_image(packed):
    mlcube = yaml.safe_load((packed.folder / "mlcube.yaml").read_text())
    container = yaml.safe_load((packed.folder / "container_config.yaml").read_text())
    assert mlcube["docker"]["image"] == container["image"] == IMAGE


def test_the_folder_has_a_workspace_that_mlcube_run_finds(packed):
    workspace = packed.folder / "workspace"
    assert (workspace / "parameters.yaml").is_file()
    assert read_submission(workspace / "additional_files").name == "tumour"


def test_the_same_submission_packs_to_the_same_bytes(packed, tumour_submission, tmp_path):
    again = pack_submission(tumour_submission, IMAGE, tmp_path / "again", Publication())
    assert again.archive.read_bytes() == packed.archive.read_bytes()


def test_an_existing_folder_is_not_overwritten(packed, tumour_submission):
    with pytest.raises(UsageError, match=r"already exists.*--out"):
        pack_submission(tumour_submission, IMAGE, packed.folder, Publication())


@pytest.mark.parametrize(("length", "fits"), [(248, True), (249, False)])
def test_a_name_leaves_room_for_the_archives_extension(tumour_submission, tmp_path, length, fits):
    out = tmp_path / ("n" * length)
    if fits:
        assert pack_submission(tumour_submission, IMAGE, out, Publication()).archive.is_file()
    else:
        with pytest.raises(UsageError, match="too long; expected at most 248 bytes"):
            check_and_pack(PackRequest(tumour_submission, IMAGE, out))


def test_shipped_files_and_others_are_listed(packed):
    shipped, left_out = packed.summary(None).split("\nleft out")
    assert "\n  submission.yaml" in shipped
    assert "\n  patient.nii.gz" in left_out


def test_after_a_full_disk_packing_can_be_repeated(tumour_submission, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out = tmp_path / "new" / "packed"
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfile", full)
        with pytest.raises(EnvironmentFault, match="No space left"):
            pack_submission(tumour_submission, IMAGE, out, Publication())
    assert list(out.parent.iterdir()) == []
    assert pack_submission(tumour_submission, IMAGE, out, Publication()).archive.is_file()


def test_an_install_without_the_parameters_is_an_error_before_anything_is_written(
    tumour_submission, tmp_path, monkeypatch
):
    monkeypatch.setattr(pack, "DEFAULT_PARAMETERS", tmp_path / "missing.yaml")
    with pytest.raises(EnvironmentFault, match=r"missing\.yaml: no such file; install segcube again"):
        pack_submission(tumour_submission, IMAGE, tmp_path / "out", Publication())
    assert not (tmp_path / "out").exists()


def test_the_orchestrators_entry_is_written_beside(packed):
    entry = yaml.safe_load((packed.folder / "orchestrator.yml").read_text())
    assert entry["algorithms"]["tumour"]["run_args"]["docker_image"] == IMAGE


def test_a_starter_is_refused(tumour_submission):
    text = (tumour_submission / "submission.yaml").read_text()
    (tumour_submission / "submission.yaml").write_text(text + "starter: true\n")
    report = check_for_packing(tumour_submission, "team/a:1", device="cpu")
    assert FindingCode.STARTER in [finding.code for finding in report.errors]


def test_a_placeholder_for_the_image_packs_nothing(tumour_submission, tmp_path):
    request = PackRequest(tumour_submission, "example/image", tmp_path / "packed", device="cpu")
    report, written = check_and_pack(request)
    assert FindingCode.IMAGE_NAME in [finding.code for finding in report.errors]
    assert written is None
    assert not list(tmp_path.glob("packed*"))


def test_a_sound_submission_is_checked_and_packed(tumour_submission, tmp_path):
    request = PackRequest(tumour_submission, IMAGE, tmp_path / "packed", device="cpu")
    report, written = check_and_pack(request)
    assert not report.errors
    assert written.archive == tmp_path / "packed.tar.gz"
    assert written.archive.is_file()
    assert str(written.archive) in written.summary(None)
