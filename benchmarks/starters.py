"""The scores of the starters: on phantoms of another seed and, beside a rule without training, on scans.

    python benchmarks/starters.py [--device cpu] [--scans DIR]

DIR holds brats, brats2021 or mbas, and the label maps of each in the folder NAME-labels. The rules: of brains
FLAIR above a threshold, of atria intensities above Otsu's threshold; both opened and cut to the largest
component.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from cases import write_cases
from scipy import ndimage
from skimage.filters import threshold_otsu

from phantoms import by_flair, clean, dice, patients
from segcube.cli.base.tables import print_scores
from segcube.core import RunSettings
from segcube.evaluation import Evaluation, evaluate_folder, find_maps
from segcube.formats import discover_cases
from segcube.formats.nifti import read_labels, read_volume
from segcube.inference.folder import Request, run_folder
from segcube.spec.challenges import load_challenge

ROOT = Path(__file__).parents[1]
STARTERS = {"brats2023-gli": "brats-starter", "mbas2024": "mbas-starter"}
CASES, SEED = 10, 20260001
BRAINS = {"brats": "brats2023-gli", "brats2021": "brats2021-gli"}
"""Challenges of the folders of scans."""
Rows = dict[str, dict[str, float]]
"""Dice by case and region; those without the region in its reference are left out."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--scans", type=Path, metavar="DIR")
    given = parser.parse_args()
    for key, name in STARTERS.items():
        print_phantoms(key, name, given.device)
    if given.scans is not None:
        for rows, rule in (on_brains(given.scans, given.device), on_atria(given.scans, given.device)):
            print("\n".join(scan_table(rows, rule)))


def print_phantoms(key: str, name: str, device: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_cases(key, CASES, folder, SEED)
        scores = predict_and_score(folder, "data", "labels", key, device)
    print(f"{name} on {CASES} phantoms of seed {SEED}")
    cases = {case: found.regions for case, found in scores.cases.items()}
    print_scores(name, scores.mean, scores.median, cases)


def predict_and_score(
    folder: Path, data: str, labels: str, key: str, device: str, profile: str | None = None
) -> Evaluation:
    """Score the maps that the starter of a challenge predicts."""
    name = next(name for of, name in STARTERS.items() if of[:4] == key[:4])
    settings = RunSettings(device=device, challenge=key)
    with tempfile.TemporaryDirectory() as maps:
        run_folder(Request(folder / data, Path(maps), ROOT / "weights" / name, settings))
        return evaluate_folder(Path(maps), folder / labels, load_challenge(key), profile)


def on_brains(scans: Path, device: str) -> tuple[Rows, dict[str, float]]:
    """Dice of the starter, and of WT by the rule, in all folders of brains."""
    rows, rule = Rows(), dict[str, float]()
    for folder, key in BRAINS.items():
        if (scans / folder).is_dir():
            rows |= present(predict_and_score(scans, folder, f"{folder}-labels", key, device, "plain"))
            challenge = load_challenge(key)
            flair = challenge.channel_names.index("t2f")
            for scan in patients(challenge, scans / folder, scans / f"{folder}-labels"):
                rule[scan.name] = dice(clean(by_flair(scan, flair), scan), scan)
    return rows, rule


def on_atria(scans: Path, device: str) -> tuple[Rows, dict[str, float]]:
    """Dice of the starter, and of LA by the rule."""
    if not (scans / "mbas").is_dir():
        return {}, {}
    rows = present(predict_and_score(scans, "mbas", "mbas-labels", "mbas2024", device, "plain"))
    return rows, dict(bright_blood(scans))


def bright_blood(scans: Path) -> Iterator[tuple[str, float]]:
    challenge = load_challenge("mbas2024")
    files = find_maps(scans / "mbas-labels", challenge)
    for case in discover_cases(scans / "mbas", challenge).cases:
        image_xyz = np.asarray(read_volume(case, challenge.channel_names).voxels[0])
        bright_xyz = image_xyz > threshold_otsu(image_xyz)
        opened_xyz = np.asarray(ndimage.binary_opening(bright_xyz, iterations=2))
        numbered_xyz, count = ndimage.label(opened_xyz)
        largest = np.bincount(numbered_xyz.ravel())[1:].argmax() + 1 if count else 1
        found_xyz = numbered_xyz == largest
        atrium_xyz = read_labels(files[case.name])[0] == challenge.labels["LA"]
        yield case.name, float(2 * (found_xyz & atrium_xyz).sum() / (found_xyz.sum() + atrium_xyz.sum()))


def present(scores: Evaluation) -> Rows:
    """Dice of the regions that the reference of a case has."""
    return {
        case: {region: row["dice"] for region, row in found.regions.items() if row["volume_ref"] > 0}
        for case, found in scores.cases.items()
    }


def scan_table(rows: Rows, rule: Mapping[str, float]) -> Iterator[str]:
    regions = sorted({region for row in rows.values() for region in row}, reverse=True)
    if not regions:
        return
    columns: dict[str, Mapping[str, float]] = {
        region: {case: row[region] for case, row in rows.items() if region in row} for region in regions
    }
    columns["rule"] = rule
    yield f"| scan | {' | '.join(columns)} |"
    yield f"|---|{'---|' * len(columns)}"
    for case in rows:
        cells = [f"{values[case]:.3f}" if case in values else "" for values in columns.values()]
        yield f"| {case} | {' | '.join(cells)} |"
    for name, statistic in (("mean", np.mean), ("median", np.median), ("least", np.min)):
        yield f"| {name} | {' | '.join(f'{statistic(_values(of)):.3f}' for of in columns.values())} |"


def _values(column: Mapping[str, float]) -> Sequence[float]:
    return list(column.values())


if __name__ == "__main__":
    main()
