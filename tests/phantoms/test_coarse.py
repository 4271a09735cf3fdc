import pytest

from segcube.core import UsageError
from segcube.phantoms import check_not_coarse, make_phantom, write_coarse_challenge
from segcube.spec.challenges import load_challenge


def test_phantoms_of_the_written_challenge_have_its_voxels(tmp_path):
    coarse, file = write_coarse_challenge(load_challenge("mbas2024"), 8.0, tmp_path)
    assert load_challenge(str(file)) == coarse
    assert not coarse.geometry.fixed
    # 640 voxels of 0.625 mm and 44 of 2.5 mm, or 576
    assert [grid.shape for grid in coarse.geometry.grids] == [(50, 50, 14), (45, 45, 14)]
    phantom = make_phantom(coarse, 1, 0)
    assert phantom.grid.spacing == (8.0, 8.0, 8.0)
    assert set(phantom.labels_xyz.ravel().tolist()) == {0, 1, 2, 3}


def test_a_challenge_of_another_spacing_is_not_replaced(tmp_path):
    challenge = load_challenge("mbas2024")
    write_coarse_challenge(challenge, 8.0, tmp_path)
    write_coarse_challenge(challenge, 8.0, tmp_path)
    with pytest.raises(UsageError, match=r"challenge\.yaml: is not mbas2024 with voxels of 4 mm"):
        write_coarse_challenge(challenge, 4.0, tmp_path)


def test_a_folder_of_coarse_phantoms_is_not_for_those_of_the_challenge_s_grid(tmp_path):
    check_not_coarse(tmp_path)
    write_coarse_challenge(load_challenge("mbas2024"), 8.0, tmp_path)
    with pytest.raises(UsageError, match=r"challenge\.yaml: belongs to phantoms written with --spacing"):
        check_not_coarse(tmp_path)
