"""Builds nnU-Net v2 model folders with random weights and predicts with nnU-Net's own predictor.

Runs in the oracle's environment: `python nnunet.py COMPARISONS.json`, a list of what `answer` takes.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import warnings
from pathlib import Path

import mbas
import numpy as np
import torch
from nnunet_plans import dataset_of, plans_of
from nnunetv2.inference import predict_from_raw_data
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from scipy.ndimage import gaussian_filter

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
SPREAD = 3.0
"""Standard deviation of the made logits: far enough apart for busy maps, near enough for close decisions."""


def answer(spec: dict, earlier: dict | None, folder: str) -> None:
    """Build the models of a comparison and predict its images, as nnU-Net comes and widened.

    Models go to `model` and `earlier` in the folder, maps to `model-plain`, `model-widened` and so on; a
    cascade takes the earlier maps of its own kind.
    """
    root = Path(folder)
    masked = bool(spec.get("mbas"))
    if earlier:
        build(earlier, root / "earlier", "3d_lowres")
        follows = None if masked else "3d_lowres"
        build(spec, root / "model", "3d_fullres" if masked else "3d_cascade_fullres", follows, seed=10)
    else:
        build(spec, root / "model", "3d_fullres")
    if masked:
        mbas.pickle_stages(root)
    for kind in ("plain", "widened"):
        if earlier:
            predict(earlier, root, "earlier", kind)
        if masked:
            mbas.predict_last(predictor_of(spec, root / "model", kind), root, kind)
        else:
            predict(spec, root, "model", kind, root / f"earlier-{kind}" if earlier else None)


def checkpoint_of(spec: dict) -> str:
    """The checkpoints' file name."""
    return f"checkpoint_{spec.get('checkpoint', 'final')}.pth"


def build(spec: dict, root: Path, configuration: str, previous: str | None = None, seed: int = 0) -> None:
    """Write plans.json, dataset.json and a checkpoint a fold, as nnU-Net's trainer saves them."""
    root.mkdir(parents=True)
    plans, dataset = plans_of(spec, configuration, previous), dataset_of(spec)
    (root / "plans.json").write_text(json.dumps(plans))
    (root / "dataset.json").write_text(json.dumps(dataset))
    for index, fold in enumerate(spec["folds"]):
        torch.manual_seed(seed + index)
        network = make_network(json.loads(json.dumps(plans)), dataset, configuration, spec.get("lean", 0.0))
        saved = {
            "network_weights": network.state_dict(),
            "optimizer_state": torch.optim.SGD(network.parameters(), 0.01, momentum=0.99).state_dict(),
            "grad_scaler_state": None,
            "logging": {"mean_fg_dice": [np.float32(0.5)], "epoch_start_timestamps": [1.5]},
            "_best_ema": np.float64(0.5),
            "current_epoch": 1,
            "init_args": {
                "plans": plans,
                "configuration": configuration,
                "fold": fold,
                "dataset_json": dataset,
                "device": torch.device("cuda", 0),
            },
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes": None if spec["mirror"] is None else tuple(spec["mirror"]),
        }
        (root / f"fold_{fold}").mkdir()
        torch.save(saved, root / f"fold_{fold}" / checkpoint_of(spec))


def make_network(plans: dict, dataset: dict, configuration: str, lean: float) -> torch.nn.Module:
    """A network of random weights whose logits spread on noise that is as smooth as a scan.

    lean: how far towards the background, in logits.
    """
    manager = PlansManager(plans)
    chosen = manager.get_configuration(configuration)
    channels = determine_num_input_channels(manager, chosen, dataset)
    heads = manager.get_label_manager(dataset).num_segmentation_heads
    network = nnUNetTrainer.build_network_architecture(manager, chosen, channels, heads, True)
    network.eval()
    network.decoder.deep_supervision = False
    rng = np.random.default_rng(0)
    noise = np.stack(
        [gaussian_filter(rng.standard_normal(chosen.patch_size), 1.5) * 8 for _ in range(channels)]
    )
    with torch.no_grad():
        logits = network(torch.from_numpy(noise[None]).float())[0].flatten(1)
        head = network.decoder.seg_layers[-1]
        scale = SPREAD / logits.std(dim=1)
        head.weight *= scale.reshape(-1, *[1] * (head.weight.ndim - 1))
        head.bias.copy_((head.bias - logits.mean(dim=1)) * scale)
        head.bias[0] += lean
    return network


def predict(spec: dict, root: Path, model: str, kind: str, previous: Path | None = None) -> None:
    """Predict the images as nnU-Net comes, or with its half-precision accumulators in float32."""
    out = root / f"{model}-{kind}"
    out.mkdir()
    before = None if previous is None else str(previous)
    predictor = predictor_of(spec, root / model, kind)
    predictor.predict_from_files_sequential(
        str(root / "images"), str(out), folder_with_segs_from_prev_stage=before
    )


def predictor_of(spec: dict, folder: Path, kind: str) -> nnUNetPredictor:
    """nnU-Net's predictor of a model folder, as it comes or widened."""
    chosen = widened_predictor() if kind == "widened" else nnUNetPredictor
    predictor = chosen(device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(folder), tuple(spec["folds"]), checkpoint_of(spec))
    return predictor


def widened_predictor() -> type[nnUNetPredictor]:
    """nnU-Net's predictor, its own source with the accumulators' type changed and nothing else."""
    method = nnUNetPredictor._internal_predict_sliding_window_return_logits
    source = inspect.getsource(method)
    assert source.count("dtype=torch.half") == 2, "nnU-Net's accumulators have changed"
    wide = "class Widened(nnUNetPredictor):\n" + source.replace("dtype=torch.half", "dtype=torch.float32")
    scope = dict(vars(predict_from_raw_data))
    exec(wide, scope)
    return scope["Widened"]


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    for comparison in json.loads(Path(sys.argv[1]).read_text()):
        answer(**comparison)
