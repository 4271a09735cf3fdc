"""The starters on real scans, in SEGCUBE_REAL_DATA or beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from segcube.cli.app import app

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("SEGCUBE_REAL_DATA", ROOT.parent / "shared" / "data"))


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real scans in {DATA}")
@pytest.mark.parametrize(
    ("folder", "starter", "image", "map_name"),
    [
        ("brats", "brats-starter", "{}/{}-t1c.nii.gz", "{}.nii.gz"),
        ("mbas", "mbas-starter", "{}_gt.nii.gz", "{}_label.nii.gz"),
    ],
)
def test_real_scans_end_well_on_their_own_grid(tmp_path, folder, starter, image, map_name):
    data, out = DATA / folder, tmp_path / "out"
    options = [
        "--data_path",
        data,
        "--output_path",
        out,
        "--weights",
        ROOT / "weights" / starter,
        "--device",
        "cpu",
    ]
    assert CliRunner().invoke(app, ["infer", *map(str, options)]).exit_code == 0
    names = sorted({file.name.split("_gt")[0].removesuffix(".nii.gz") for file in data.iterdir()})
    assert sorted(file.name for file in out.iterdir()) == [map_name.format(name) for name in names]
    for name in names:
        given, written = nib.load(data / image.format(name, name)), nib.load(out / map_name.format(name))
        assert written.shape == given.shape
        assert written.get_data_dtype() == np.uint8
        np.testing.assert_array_equal(written.affine, given.affine)
        np.testing.assert_array_equal(written.header["pixdim"][:4], given.header["pixdim"][:4])
        assert np.asarray(written.dataobj).any()
