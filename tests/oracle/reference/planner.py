"""Plans of nnU-Net's own planners for fingerprints: `planner.py TASKS.json`, which names the folder for each.

A task is {"fingerprint": ..., "dataset": ..., "planner": class name, "out": plans.json}. To save time, the
networks that the planner builds to count their feature maps are on the meta device and built once for equal
arguments. Equal numbers are sorted in their order, on every CPU.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(sys.argv[1]).parent
for place in ("raw", "preprocessed", "results"):
    os.environ[f"nnUNet_{place}"] = str(ROOT / place)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from nnunetv2.experiment_planning.experiment_planners import default_experiment_planner as default  # noqa: E402
from nnunetv2.experiment_planning.experiment_planners.residual_unets import (  # noqa: E402
    residual_encoder_unet_planners as residual,
)

PLANNERS = {"ExperimentPlanner": default.ExperimentPlanner} | {
    name: getattr(residual, name)
    for name in ("nnUNetPlannerResEncM", "nnUNetPlannerResEncL", "nnUNetPlannerResEncXL")
}


BUILD = default.get_network_from_plans
NETWORKS: dict[str, torch.nn.Module] = {}


def network(*arguments: Any, **options: Any) -> torch.nn.Module:
    """The network of equal arguments that was built before, or a new one."""
    key = json.dumps([arguments, options])
    if key not in NETWORKS:
        NETWORKS[key] = BUILD(*arguments, **options)
    return NETWORKS[key]


def plan(number: int, task: dict[str, Any]) -> None:
    """Write the plans of one task."""
    name = f"Dataset{number + 1:03d}_Synthetic"
    raw, preprocessed = ROOT / "raw" / name, ROOT / "preprocessed" / name
    raw.mkdir(parents=True)
    preprocessed.mkdir(parents=True)
    (raw / "dataset.json").write_text(json.dumps(task["dataset"]))
    (preprocessed / "dataset_fingerprint.json").write_text(json.dumps(task["fingerprint"]))
    planner = PLANNERS[task["planner"]](name)
    with redirect_stdout(sys.stderr):
        planner.plan_experiment()
    written = preprocessed / f"{planner.plans_identifier}.json"
    Path(task["out"]).write_text(written.read_text())


if __name__ == "__main__":
    torch.set_default_device("meta")
    np.argsort = partial(np.argsort, kind="stable")
    default.get_network_from_plans = network
    default.get_allowed_n_proc_DA = lambda: 1
    for number, task in enumerate(json.loads(Path(sys.argv[1]).read_text())):
        plan(number, task)
