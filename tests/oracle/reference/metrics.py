"""Scores of two masks by published code: PAIRS.npz with found_N, reference_N and spacing_N in, JSON out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import monai.metrics
import numpy as np
import surface_distance
import torch
from medpy.metric import binary
from panoptica import (
    ConnectedComponentsInstanceApproximator,
    InputType,
    MaxBipartiteMatching,
    Metric,
    Panoptica_Evaluator,
)
from panoptica.utils.edge_case_handling import EdgeCaseHandler, EdgeCaseResult, MetricZeroTPEdgeCaseHandling

TOLERANCES = (0.5, 1.0)


def by_surface_distance(found: np.ndarray, reference: np.ndarray, spacing: list[float]) -> dict[str, Any]:
    distances = surface_distance.compute_surface_distances(reference, found, spacing)
    return {
        "dice": surface_distance.compute_dice_coefficient(reference, found),
        "hd95": surface_distance.compute_robust_hausdorff(distances, 95),
        "asd_both_ways": surface_distance.compute_average_surface_distance(distances),
        "areas": [float(distances[side].sum()) for side in ("surfel_areas_gt", "surfel_areas_pred")],
        **{f"nsd_{t}": surface_distance.compute_surface_dice_at_tolerance(distances, t) for t in TOLERANCES},
    }


def by_monai(found: np.ndarray, reference: np.ndarray, spacing: list[float]) -> dict[str, Any]:
    pair = [torch.as_tensor(mask[None, None].astype(np.float32)) for mask in (found, reference)]
    scores = {"dice": monai.metrics.compute_dice(*pair), "iou": monai.metrics.compute_iou(*pair)}
    for tolerance in TOLERANCES:
        scores[f"nsd_{tolerance}"] = monai.metrics.compute_surface_dice(
            *pair, class_thresholds=[tolerance], spacing=spacing, use_subvoxels=True, include_background=True
        )
    return {name: float(value) for name, value in scores.items()}


def by_medpy(found: np.ndarray, reference: np.ndarray, spacing: list[float]) -> dict[str, Any]:
    return {
        "dice": binary.dc(found, reference),
        "hd95": binary.hd95(found, reference, spacing),
        "hd95_voxels": binary.hd95(found, reference),
    }


def by_panoptica(found: np.ndarray, reference: np.ndarray, spacing: list[float]) -> dict[str, Any]:
    """As BraTS 2026 sets it up: volumes as (z, y, x), their spacing as (x, y, z)."""
    handling = MetricZeroTPEdgeCaseHandling
    zero = {"empty_prediction_result": EdgeCaseResult.ZERO, "empty_reference_result": EdgeCaseResult.ZERO}
    far = {"empty_prediction_result": EdgeCaseResult.INF, "empty_reference_result": EdgeCaseResult.INF}
    none = {"no_instances_result": EdgeCaseResult.NAN}
    metrics = [Metric.DSC, Metric.NSD, Metric.HD95]
    evaluator = Panoptica_Evaluator(
        expected_input=InputType.SEMANTIC,
        instance_approximator=ConnectedComponentsInstanceApproximator(),
        instance_matcher=MaxBipartiteMatching(matching_metric=Metric.DSC, matching_threshold=1e-6),
        edge_case_handler=EdgeCaseHandler(
            listmetric_zeroTP_handling={
                Metric.DSC: handling(**zero, **none, normal=EdgeCaseResult.ZERO),
                Metric.NSD: handling(**zero, **none, normal=EdgeCaseResult.ZERO),
                Metric.HD95: handling(**far, **none, normal=EdgeCaseResult.INF),
            },
            empty_list_std=EdgeCaseResult.NAN,
        ),
        instance_metrics=metrics,
        global_metrics=metrics,
    )
    volumes = [np.ascontiguousarray(mask.T).astype(np.uint8) for mask in (found, reference)]
    (result,) = evaluator.evaluate(*volumes, voxelspacing=tuple(spacing), verbose=False).values()
    scores = result.to_dict()
    names = [
        "tp",
        "fp",
        "fn",
        "prec",
        "rec",
        "rq",
        "sq_dsc",
        "sq_dsc_std",
        "pq_dsc",
        "sq_hd95",
        "sq_hd95_std",
    ]
    names += ["sq_nsd", "sq_nsd_std", "global_bin_dsc", "global_bin_hd95", "global_bin_nsd"]
    return {name: float(scores.get(name, float("nan"))) for name in names}


def main() -> None:
    which, pairs, out = sys.argv[1:]
    score = {"surface": by_surface_distance, "monai": by_monai, "medpy": by_medpy, "panoptica": by_panoptica}
    with np.load(pairs) as content:
        count = len([name for name in content if name.startswith("found_")])
        rows = [
            score[which](content[f"found_{n}"], content[f"reference_{n}"], content[f"spacing_{n}"].tolist())
            for n in range(count)
        ]
    Path(out).write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
