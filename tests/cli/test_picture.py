from __future__ import annotations

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from segcube.cli.app import app

from ..pages.test_pictures import NAMES, folders

__all__ = ["folders"]


@pytest.mark.parametrize(("bad", "code"), [(0, 0), (1, 3), (3, 4)])
def test_a_bad_map_is_reported_and_the_others_are_drawn(folders, bad, code):
    for name in NAMES[:bad]:
        (folders / "maps" / f"{name}.nii.gz").write_bytes(b"no map")
    arguments = ["-i", folders / "data", "--maps", folders / "maps", "--challenge", "brats2023-gli"]
    result = CliRunner().invoke(app, ["picture", *map(str, [folders / "pictures", *arguments])])
    assert result.exit_code == code
    assert result.stdout.splitlines() == [str(folders / "pictures" / f"{name}.png") for name in NAMES[bad:]]
    assert all(f"{name}: NOT_NIFTI" in result.stderr for name in NAMES[:bad])


def test_the_challenge_is_that_of_the_names_and_the_folder_may_be_an_option(folders):
    arguments = ["-i", folders / "data", "--maps", folders / "maps", "-o", folders / "drawn"]
    result = CliRunner().invoke(app, ["picture", *map(str, arguments)])
    # The names fit brats2025-gli as well
    assert result.exit_code == 2
    assert "--challenge" in result.stderr
    result = CliRunner().invoke(app, ["picture", *map(str, arguments), "--challenge", "brats2023-gli"])
    assert len(list((folders / "drawn").iterdir())) == len(NAMES)


@pytest.mark.parametrize(("options", "words"), [((), "no folder"), (("DIR", "-o", "OTHER"), "two folders")])
def test_a_picture_needs_one_folder(folders, options, words):
    arguments = ["-i", folders / "data", "--maps", folders / "maps", *options]
    result = CliRunner().invoke(app, ["picture", *map(str, arguments)])
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_case_without_a_map_is_reported(folders):
    (folders / "maps" / f"{NAMES[0]}.nii.gz").unlink()
    arguments = ["-i", folders / "data", "--maps", folders / "maps", "--challenge", "brats2023-gli"]
    result = CliRunner().invoke(app, ["picture", *map(str, [folders / "pictures", *arguments])])
    assert result.exit_code == 0
    assert f"{NAMES[0]}: no label map" in result.stderr


def test_any_backend_of_matplotlib_may_be_set(folders):
    arguments = ["-i", folders / "data", "--maps", folders / "maps", "--challenge", "brats2023-gli"]
    command = [sys.executable, "-m", "segcube.cli", "picture", folders / "pictures", *arguments]
    environment = os.environ | {"MPLBACKEND": "nonsense"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_file_in_the_place_of_the_folder_of_pictures_ends_the_command(folders):
    (folders / "pictures").write_text("a file")
    arguments = ["-i", folders / "data", "--maps", folders / "maps", "--challenge", "brats2023-gli"]
    result = CliRunner().invoke(app, ["picture", *map(str, [folders / "pictures", *arguments])])
    assert result.exit_code == 5
    assert f"{NAMES[0]}.png: cannot be written: a file is in the place of its folder" in result.stderr
