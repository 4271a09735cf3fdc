"""The cases of a comparison, as their challenge names them and as nnU-Net does."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from cases import made
from nibabel.nifti1 import Nifti1Image

from segcube.core import UsageError
from segcube.formats import discover
from segcube.spec.challenges import load_challenge
from versus.specs import Plan, Three


@dataclass(frozen=True)
class Cases:
    """Some cases of a challenge."""

    challenge: str | Path
    data: Path
    """As the challenge names them."""
    images: Path
    """As nnU-Net names them: CASE_0000.nii.gz and so on, in the plan's order of channels."""
    outputs: dict[str, str]
    """The name of segcube's map of each case, by the name of nnU-Net's."""


def prepare_cases(plan: Plan, count: int, work: Path, given: Path | None) -> Cases:
    """Take the first cases of a folder, or make some; links to them lie in `work`.

    given: a folder that may hold one of the challenge's key. Raises UsageError where it holds too few.
    """
    challenge = _challenge(plan, work)
    loaded = load_challenge(challenge)
    name = f"{plan.challenge}-{'-'.join(map(str, plan.coarser))}"
    own = given / plan.challenge if given and (given / plan.challenge).is_dir() else None
    source = own or _made(challenge, count, plan.seed, work / "made" / f"{name}-{plan.seed}")
    found = discover(source, loaded).cases[:count]
    if len(found) < count:
        raise UsageError(f"holds {len(found)} sound cases", file=source, expected=f"{count}")
    place = work / "cases" / f"{name}-{count}"
    shutil.rmtree(place, ignore_errors=True)
    for case in found:
        for file in case.files.values():
            _link(file, place / "data" / file.name)
        for number, channel in enumerate(plan.channels):
            _link(case.files[channel], place / "images" / f"{case.name}_{number:04d}.nii.gz")
    outputs = {f"{case.name}.nii.gz": loaded.output_name(case.name) for case in found}
    return Cases(challenge, place / "data", place / "images", outputs)


def cropped_shapes(cases: Cases) -> list[Three]:
    """Size (z, y, x) of what isn't zero in each case."""
    shapes = []
    for name in cases.outputs:
        files = sorted(cases.images.glob(name.replace(".nii.gz", "_*.nii.gz")))
        inside_xyz = np.any(
            [np.asarray(Nifti1Image.from_filename(file).dataobj) != 0 for file in files], axis=0
        )
        x, y, z = (int(np.ptp(axis)) + 1 for axis in np.nonzero(inside_xyz))
        shapes.append((z, y, x))
    return shapes


def _challenge(plan: Plan, work: Path) -> str | Path:
    """The challenge's key, or a file of the same with a coarser grid."""
    if plan.coarser == (1, 1, 1):
        return plan.challenge
    content = load_challenge(plan.challenge).model_dump(mode="json", exclude_unset=True)
    times = plan.coarser[::-1]
    grid = content["geometry"]["grids"][0]
    grid["shape"] = [n // t for n, t in zip(grid["shape"], times, strict=True)]
    grid["spacing"] = [s * t for s, t in zip(grid["spacing"], times, strict=True)]
    content["geometry"]["grids"] = [grid]
    file = work / f"{plan.challenge}-{'-'.join(map(str, plan.coarser))}.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def _made(challenge: str | Path, count: int, seed: int, folder: Path) -> Path:
    """At least so many made cases, those of an earlier run where they are enough."""
    loaded = load_challenge(challenge)
    if (folder / "data").is_dir() and len(discover(folder / "data", loaded).cases) >= count:
        return folder / "data"
    shutil.rmtree(folder, ignore_errors=True)
    return made(challenge, count, folder, seed)


def _link(file: Path, link: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(file.resolve())
