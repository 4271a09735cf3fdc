"""nnU-Net's fingerprint of a raw data set: `fingerprint.py FOLDER VOXELS`; raw/Dataset001_Scans is in it.

VOXELS: foreground voxels that are drawn of the whole data set, in place of nnU-Net's 10e7.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT, VOXELS = Path(sys.argv[1]), int(sys.argv[2])
for place in ("raw", "preprocessed", "results"):
    os.environ[f"nnUNet_{place}"] = str(ROOT / place)

from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import (  # noqa: E402
    DatasetFingerprintExtractor,
)

if __name__ == "__main__":
    extractor = DatasetFingerprintExtractor(1, num_processes=1)
    extractor.num_foreground_voxels_for_intensitystats = VOXELS
    extractor.show_progress_bar = False
    extractor.run()
