from __future__ import annotations

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


def test_a_case_without_a_map_is_reported(folders):
    (folders / "maps" / f"{NAMES[0]}.nii.gz").unlink()
    arguments = ["-i", folders / "data", "--maps", folders / "maps", "--challenge", "brats2023-gli"]
    result = CliRunner().invoke(app, ["picture", *map(str, [folders / "pictures", *arguments])])
    assert result.exit_code == 0
    assert f"{NAMES[0]}: no label map" in result.stderr
