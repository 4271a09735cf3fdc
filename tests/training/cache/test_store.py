from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from segcube.core import EnvironmentFault
from segcube.training.cache import (
    CacheRules,
    load_residents,
    open_cache,
    prepare_case,
    prepare_cases,
)
from segcube.training.cache.store import LOCKS
from segcube.training.patches import OUTSIDE

from ..cached import CHALLENGE, cache_of, small_branch, write_scan

RULES = CacheRules(small_branch(), CHALLENGE)
NAMES = ["one", "two", "three"]


def labels(shape=(8, 9, 10), seed=0):
    return np.random.default_rng(seed).integers(0, 4, shape)


def overwrite(file):
    """Set all voxels to 1: the same size, another content and time."""
    np.save(file, np.ones_like(np.load(file)))
    os.utime(file, ns=(1, 1))


@pytest.fixture
def scans(tmp_path):
    return [write_scan(tmp_path / "data", name, labels(seed=seed)) for seed, name in enumerate(NAMES)]


def written(scans, folder, rules=RULES):
    return [outcome.name for outcome in prepare_cases(scans, rules, folder) if outcome.written]


def test_a_cache_holds_what_was_prepared(tmp_path, scans):
    case = cache_of(tmp_path / "cache", scans)[0]
    assert (case.name, case.shape, case.image_cxyz.dtype) == ("one", (8, 9, 10), np.float16)
    assert np.array_equal(case.labels_xyz, labels())
    assert (case.classes, case.annotated_voxels) == (("NCR", "ED", "ET"), None)
    for index, name in enumerate(case.classes, start=1):
        assert sorted(case.class_voxels[name].tolist()) == np.argwhere(labels() == index).tolist()
    # z-scored by the whole image, which has no zeros
    assert abs(case.image_cxyz.astype(float).mean(axis=(1, 2, 3))).max() < 1e-3
    assert sorted(file.name for file in case.folder.iterdir()) == [
        "case.json",
        "image.npy",
        "labels.npy",
        "voxels.npy",
    ]


def test_files_are_not_held_open(tmp_path, scans):
    cases = cache_of(tmp_path / "cache", scans)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        assert [case.image_cxyz.mean() + case.labels_xyz.max() for case in cases]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_second_run_writes_nothing(tmp_path, scans):
    assert written(scans, tmp_path / "cache") == NAMES
    assert written(scans, tmp_path / "cache") == []


def test_a_case_is_prepared_again_when_something_changed(tmp_path, scans):
    folder = tmp_path / "cache"
    written(scans, folder)
    (folder / "two" / "labels.npy").write_bytes(b"torn")
    assert written(scans, folder) == ["two"]
    overwrite(folder / "three" / "labels.npy")
    assert written(scans, folder) == ["three"]
    (folder / "one" / "case.json").unlink()
    assert written(scans, folder) == ["one"]
    write_scan(tmp_path / "data", "three", labels(seed=7))
    assert written(scans, folder) == ["three"]
    assert written(scans, folder, CacheRules(small_branch(spacing=[1, 1, 2]), CHALLENGE)) == NAMES


def test_a_file_with_another_time_and_the_same_content_is_the_same(tmp_path, scans):
    written(scans, tmp_path / "cache")
    os.utime(scans[0].label, ns=(1, 1))
    assert written(scans, tmp_path / "cache") == []
    open_cache(tmp_path / "cache", NAMES, RULES, {"one": scans[0]})


def test_a_bad_case_costs_only_itself(tmp_path, scans):
    scans[1].label.write_bytes(b"no NIfTI")
    outcomes = list(prepare_cases(scans, RULES, tmp_path / "cache"))
    assert [outcome.written for outcome in outcomes] == [True, False, True]
    assert "two-seg" in str(outcomes[1].error)
    assert not (tmp_path / "cache" / "two").exists()


LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("shape", "affine", "code"),
    [
        ((8, 9, 11), LPS, "LABEL_SHAPE"),
        ((8, 9, 9), LPS, "LABEL_SHAPE"),
        ((8, 9, 10), np.eye(4), "LABEL_FLIPPED"),
        ((8, 9, 10), LPS @ np.diag([1, 1, 1.2, 1]), "LABEL_GRID"),
    ],
)
def test_a_label_map_on_another_grid_costs_only_its_case(tmp_path, scans, shape, affine, code):
    nib.save(nib.Nifti1Image(labels(shape).astype(np.uint8), affine), scans[1].label)
    outcomes = list(prepare_cases(scans, RULES, tmp_path / "cache"))
    assert [outcome.error and outcome.error.code for outcome in outcomes] == [None, code, None]
    assert not (tmp_path / "cache" / "two").exists()


def test_a_label_map_mirrored_out_of_the_image_is_refused(tmp_path):
    image, labels_xyz = np.zeros((2, 8, 9, 10)), np.zeros((8, 9, 10))
    image[:, :4], labels_xyz[1:3, 2:4] = 1 + np.random.default_rng(0).random((2, 4, 9, 10)), 1
    scan = write_scan(tmp_path / "data", "one", labels_xyz[::-1], image)
    (outcome,) = prepare_cases([scan], RULES, tmp_path / "cache")
    assert outcome.error.code == "LABEL_OUTSIDE"
    assert "flipped along x" in str(outcome.error)


def test_an_unexpected_error_costs_only_its_case(tmp_path, scans, monkeypatch):
    def fail_for_two(volume, labels_xyz, rules, previous_xyz):
        if volume.case.name == "two":
            raise ZeroDivisionError
        return prepare_case(volume, labels_xyz, rules, previous_xyz)

    monkeypatch.setattr("segcube.training.cache.store.prepare_case", fail_for_two)
    outcomes = list(prepare_cases(scans, RULES, tmp_path / "cache"))
    assert [outcome.error and outcome.error.code for outcome in outcomes] == [None, "INTERNAL", None]


KILLED = """
import resource, signal, sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from segcube.training.cache import CacheRules, prepare_cases
from tests.training.cached import CHALLENGE, scan_of, small_branch

# The kernel kills the process in the middle of image.npy
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
data, cache = map(Path, sys.argv[2:])
list(prepare_cases([scan_of(data, "one")], CacheRules(small_branch(), CHALLENGE), cache))
"""


def test_a_killed_run_leaves_no_half_case(tmp_path, scans):
    folder = tmp_path / "cache"
    root = Path(__file__).parents[3]
    arguments = [str(place) for place in (root, tmp_path / "data", folder)]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False, capture_output=True)
    assert done.returncode == -signal.SIGXFSZ, done.stderr
    assert not (folder / "one").exists()
    assert [entry.name for entry in folder.iterdir() if entry.name != LOCKS] != []
    assert written(scans, folder) == NAMES
    assert sorted(entry.name for entry in folder.iterdir()) == sorted([LOCKS, *NAMES])


def test_a_case_that_another_process_prepares_comes_last(tmp_path, scans):
    folder = tmp_path / "cache"
    (folder / LOCKS).mkdir(parents=True)
    handle = os.open(folder / LOCKS / "one", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    outcomes = prepare_cases(scans, RULES, folder)
    assert [next(outcomes).name, next(outcomes).name] == ["two", "three"]
    # The other process ends while this one waits
    threading.Timer(0.2, os.close, [handle]).start()
    assert [outcome.name for outcome in outcomes] == ["one"]


@pytest.mark.parametrize("name", ["image.npy", "case.json"])
def test_a_case_that_is_missing_is_named(tmp_path, scans, name):
    written(scans, tmp_path / "cache")
    (tmp_path / "cache" / "two" / name).unlink()
    with pytest.raises(EnvironmentFault, match=r"case two .*segcube prepare"):
        open_cache(tmp_path / "cache", NAMES, RULES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _scan, folder: os.truncate(folder / "two" / "image.npy", 99), "bytes"),
        (lambda _scan, folder: overwrite(folder / "two" / "labels.npy"), "another content"),
        (lambda scan, _folder: scan.label.write_bytes(scan.label.read_bytes() + b"x"), "differs"),
        (lambda _scan, folder: (folder / "two" / "case.json").write_text("{}"), "cannot be read"),
    ],
)
def test_a_change_of_a_case_is_reported_with_its_name(tmp_path, scans, change, message):
    written(scans, tmp_path / "cache")
    change(scans[1], tmp_path / "cache")
    cases = {scan.name: scan for scan in scans}
    with pytest.raises(EnvironmentFault, match=rf"(?s)case two.*{message}"):
        open_cache(tmp_path / "cache", NAMES, RULES, cases)


def test_a_change_while_the_cache_is_in_use_is_reported(tmp_path, scans):
    folder = tmp_path / "cache"
    one, two, three = cache_of(folder, scans)
    held = two.image_cxyz
    mean = float(held.mean())
    assert written(scans, folder, CacheRules(small_branch(spacing=[1, 1, 2]), CHALLENGE)) == NAMES
    # What is mapped already stays as it was
    assert float(held.mean()) == mean
    with pytest.raises(EnvironmentFault, match="cache of case two changed: while it was in use"):
        _ = two.image_cxyz
    (folder / "one" / "voxels.npy").unlink()
    with pytest.raises(EnvironmentFault, match="cache of case one changed"):
        _ = one.class_voxels
    assert three.name == "three"


def test_another_plan_is_reported(tmp_path, scans):
    written(scans, tmp_path / "cache")
    with pytest.raises(EnvironmentFault, match="cache of case one changed: it was prepared for another plan"):
        open_cache(tmp_path / "cache", NAMES, CacheRules(small_branch(axes="zyx"), CHALLENGE))


def test_files_that_are_gone_are_not_needed(tmp_path, scans):
    written(scans, tmp_path / "cache")
    scans[0].label.unlink()
    assert open_cache(tmp_path / "cache", ["one"], RULES, {"one": scans[0]})


def test_a_cache_that_cannot_be_written_is_reported(tmp_path, scans):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        written(scans, tmp_path / "cache")


def test_the_digest_follows_the_content(tmp_path, scans):
    first = cache_of(tmp_path / "a", scans)[0].record.digest
    assert cache_of(tmp_path / "b", scans)[0].record.digest == first
    write_scan(tmp_path / "data", "one", labels(seed=5))
    assert cache_of(tmp_path / "a", scans)[0].record.digest != first


def test_as_many_cases_stay_in_memory_as_fit(tmp_path, scans):
    cases = cache_of(tmp_path / "cache", scans)
    size = 8 * 9 * 10 * (2 * 2 + 1)
    source = load_residents(cases, torch.device("cpu"), 2 * size + 1)
    assert (len(source), sorted(source.residents)) == (3, [0, 1])
    for index, case in enumerate(cases):
        assert torch.equal(source[index].image_cxyz, torch.from_numpy(case.image_cxyz))
        assert torch.equal(source[index].labels_xyz, torch.from_numpy(case.labels_xyz))
        assert OUTSIDE not in source[index].present
    (tmp_path / "cache" / "one" / "image.npy").unlink()
    assert source[0].image_cxyz.isfinite().all()
