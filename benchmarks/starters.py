"""The scores of the starters on synthetic cases of another seed."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from cases import write_cases

from segcube.cli.base.tables import print_scores
from segcube.core import RunSettings
from segcube.evaluation import evaluate_folder
from segcube.inference.folder import Request, run_folder
from segcube.spec.challenges import load_challenge

ROOT = Path(__file__).parents[1]
STARTERS = {"brats2023-gli": "brats-starter", "mbas2024": "mbas-starter"}
CASES, SEED = 10, 20260001


def main() -> None:
    for key, name in STARTERS.items():
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            data = write_cases(key, CASES, folder, SEED)
            settings = RunSettings(device=sys.argv[1] if len(sys.argv) > 1 else "auto")
            run_folder(Request(data, folder / "maps", ROOT / "weights" / name, settings))
            print(f"{name} on {CASES} synthetic cases of seed {SEED}")
            scores = evaluate_folder(folder / "maps", folder / "labels", load_challenge(key))
            cases = {case: found.regions for case, found in scores.cases.items()}
            print_scores(name, scores.mean, scores.median, cases)


if __name__ == "__main__":
    main()
