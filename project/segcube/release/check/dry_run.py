"""Dry run of a submission: each member on one window of noise, then all of it on one case of noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from segcube.backends import Backend, DeviceMemoryError
from segcube.core import Case, CaseError, SegcubeError, Volume
from segcube.formats.nifti import volume_of_arrays
from segcube.inference import Models, predict_volume
from segcube.release.check.findings import Finding, FindingCode, error
from segcube.spec.submission import LoadedSubmission, MemberFile, member_files

MAX_INTENSITY = 1000
SEED = 0


def dry_run(loaded: LoadedSubmission, backend: Backend, log: Callable[[str], None]) -> Iterator[Finding]:
    """Predict one window with each member, then one synthetic case with the whole submission.

    Logits must be finite and of the right shape, the label map of the right shape with labels of the
    challenge. The case has at most the size of a window.
    """
    passed = True
    for member in member_files(loaded.submission, loaded.folder):
        log(f"{member.file.name}: one window of {' x '.join(map(str, member.window))}")
        for finding in _run_member(member, backend):
            passed = False
            yield finding
    if passed:
        log("the whole submission: one synthetic case")
        yield from _run_all(loaded, Models(loaded, backend, False, log))


def _run_member(member: MemberFile, backend: Backend) -> Iterator[Finding]:
    failed = partial(error, FindingCode.DRY_RUN, file=member.file)
    window_ncxyz = np.random.default_rng(SEED).standard_normal((1, member.channels, *member.window))
    expected = (1, member.outputs, *member.window)
    try:
        network = backend.load(member)
        logits = backend.download(network(backend.upload(window_ncxyz.astype(np.float32))))
    except DeviceMemoryError as fault:
        found = f"not enough memory on {backend.device} for one window: {fault}"
        yield failed(found, hint="use smaller windows or a device with more memory")
        return
    except Exception as fault:
        found = f"fails on one window: {type(fault).__name__}: {fault}"
        yield failed(found, expected=f"an output of {expected}")
        return
    if logits.shape != expected:
        yield failed(f"returns {logits.shape} for one window", expected=str(expected))
    if not np.isfinite(logits).all():
        yield failed(
            "returns values that are not finite for one window",
            expected="finite values for input of mean 0 and standard deviation 1",
            hint="check the checkpoint and the precision that it was trained in",
        )


def _run_all(loaded: LoadedSubmission, models: Models) -> Iterator[Finding]:
    failed = partial(error, FindingCode.DRY_RUN, file=loaded.folder / "submission.yaml")
    volume = random_volume(loaded)
    try:
        labels_xyz = predict_volume(volume, models).labels_xyz
    except SegcubeError as fault:
        code = f"{fault.code}: " if isinstance(fault, CaseError) else ""
        yield failed(f"{code}{fault.found}", expected=fault.expected)
        return
    except Exception as fault:
        yield failed(f"{type(fault).__name__}: {fault}", expected="a label map")
        return
    values = set(np.unique(labels_xyz).tolist())
    if labels_xyz.shape != volume.grid.shape or not values <= set(loaded.challenge.labels.values()):
        found = f"a map of {labels_xyz.shape} with labels {sorted(values)}"
        yield failed(found, expected=f"{volume.grid.shape} and labels of {loaded.challenge.key}")


def random_volume(loaded: LoadedSubmission) -> Volume:
    """Return a case of noise of the size of the first window, at most that of the challenge's usual grid."""
    challenge, branch = loaded.challenge, loaded.submission.stages[0].branches[0]
    usual = challenge.geometry.grids[0]
    x, y, z = (
        min(branch.window.size[branch.axes.index(axis)], longest)
        for axis, longest in zip("xyz", usual.shape, strict=True)
    )
    case, names = Case("synthetic", {}, challenge.reference), challenge.channel_names
    rng = np.random.default_rng(SEED)
    noise = [rng.integers(1, MAX_INTENSITY, (x, y, z)).astype(np.float32) for _ in names]
    return volume_of_arrays(case, names, noise, np.diag([*usual.spacing, 1.0]), challenge)
