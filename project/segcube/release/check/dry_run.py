"""Run a submission's networks, and then all of it, on made voxels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from segcube.backends import Backend, DeviceMemoryError, MemberFile, member_files
from segcube.core import Case, CaseError, Forms, Grid, SegcubeError, Shape, Volume
from segcube.inference import Models, predict_volume
from segcube.release.check.findings import Finding, FindingCode, error
from segcube.spec.submission import LoadedSubmission

BRIGHTEST = 1000
SEED = 0


def dry_run(loaded: LoadedSubmission, backend: Backend, log: Callable[[str], None]) -> Iterator[Finding]:
    """Give every member one window, then the whole submission one made case of a window's size.

    What comes out must be finite, of the right shape, and labels of the challenge.
    """
    sound = True
    for member in member_files(loaded.submission, loaded.folder):
        log(f"{member.file.name}: one window of {' x '.join(map(str, member.window))}")
        for finding in _run_member(member, backend):
            sound = False
            yield finding
    if sound:
        log("all together: one made case")
        yield from _run_all(loaded, Models(loaded, backend, False, log))


def _run_member(member: MemberFile, backend: Backend) -> Iterator[Finding]:
    file = member.file
    window_ncxyz = np.random.default_rng(SEED).standard_normal((1, member.channels, *member.window))
    expected = (1, member.outputs, *member.window)
    try:
        network = backend.load(member)
        logits = backend.download(network(backend.upload(window_ncxyz.astype(np.float32))))
    except DeviceMemoryError as fault:
        told = f"too little memory on {backend.device} for one window: {fault}"
        yield error(FindingCode.DRY_RUN, told, file=file, hint="take smaller windows or more memory")
        return
    except Exception as fault:
        told = f"fails on one window: {type(fault).__name__}: {fault}"
        yield error(FindingCode.DRY_RUN, told, file=file, expected=f"an output of {expected}")
        return
    if logits.shape != expected:
        told = f"gives {logits.shape} for one window"
        yield error(FindingCode.DRY_RUN, told, file=file, expected=str(expected))
    if not np.isfinite(logits).all():
        yield error(
            FindingCode.DRY_RUN,
            "gives values that are not finite for one window",
            file=file,
            expected="finite values for voxels of mean 0 and deviation 1",
            hint="look at the checkpoint, and at the precision it was trained in",
        )


def _run_all(loaded: LoadedSubmission, models: Models) -> Iterator[Finding]:
    file = loaded.folder / "submission.yaml"
    volume = made_volume(loaded)
    try:
        labels_xyz = predict_volume(volume, models).labels_xyz
    except SegcubeError as fault:
        code = f"{fault.code}: " if isinstance(fault, CaseError) else ""
        yield error(FindingCode.DRY_RUN, f"{code}{fault.found}", file=file, expected=fault.expected)
        return
    except Exception as fault:
        yield error(
            FindingCode.DRY_RUN, f"{type(fault).__name__}: {fault}", file=file, expected="a label map"
        )
        return
    values = set(np.unique(labels_xyz).tolist())
    if labels_xyz.shape != volume.grid.shape or not values <= set(loaded.challenge.labels.values()):
        told = f"a map of {labels_xyz.shape} with labels {sorted(values)}"
        yield error(FindingCode.DRY_RUN, told, file=file, expected=f"{volume.grid.shape}, known labels")


def made_volume(loaded: LoadedSubmission) -> Volume:
    """A case of noise, as large as the first window or the challenge's usual grid, whichever is less."""
    challenge, branch = loaded.challenge, loaded.submission.stages[0].branches[0]
    usual = challenge.geometry.grids[0]
    x, y, z = (
        min(branch.window.size[branch.axes.index(axis)], most)
        for axis, most in zip("xyz", usual.shape, strict=True)
    )
    shape: Shape = (x, y, z)
    grid = Grid(shape, np.diag([*usual.spacing, 1.0]))
    names = challenge.channel_names
    rng = np.random.default_rng(SEED)
    voxels = tuple(rng.integers(1, BRIGHTEST, shape).astype(np.float32) for _ in names)
    forms = Forms(1, tuple(grid.affine[:3].ravel()), 0, (0.0,) * 6, (1.0, *usual.spacing), 2)
    return Volume(Case("made", {}, challenge.reference), names, voxels, grid, forms)
