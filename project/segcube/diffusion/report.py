"""A report on samples: how they compare with the training cases, and whether they repeat one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from segcube import __version__
from segcube.core import Case, CaseError, Grid, UsageError
from segcube.diffusion.images import HIGH, LEVELS, LOW, as_intensities
from segcube.diffusion.masks import cut_case
from segcube.diffusion.model import ModelFile, ModelFolder, open_examples, read_model_file, read_trained
from segcube.diffusion.sample import grids_of
from segcube.evaluation import encode_json
from segcube.formats import discover_cases
from segcube.formats.nifti import read_labels, read_volume
from segcube.phantoms import Comparison, OnCase, Values, case_files, measure_case
from segcube.spec.challenges import Challenge
from segcube.training import OUTSIDE
from segcube.training.cases import read_sample_origin
from segcube.training.run import FoldScores, RunFolder, read_fold_scores, trained_folds

COPY = 0.9
"""A correlation with a training case from which on a sample counts as a copy of it."""


@dataclass(frozen=True)
class Nearest:
    """The training case that a sample resembles most.

    correlation: of both images' differences from the mean of all other training cases, over all channels, at
    half of the resolution.
    """

    case: str
    correlation: float

    @property
    def is_copy(self) -> bool:
        """Whether the sample repeats the case."""
        return self.correlation >= COPY


@dataclass(frozen=True)
class QualityReport:
    """What was found about samples.

    nearest: of each sample; empty where a model has one training case, or patches smaller than cases.
    nearest_real: the same of each training case among the others; empty for fewer than three. dice: of each
    validated run, by its folder, the mean Dice of each region.
    """

    comparison: Comparison
    nearest: Mapping[str, Nearest]
    nearest_real: Mapping[str, Nearest]
    dice: Mapping[str, Mapping[str, float | None]]

    def as_json(self) -> bytes:
        """All of it, as indented JSON."""
        content = {
            "report": "samples",
            "version": __version__,
            "nearest": {name: asdict(found) for name, found in self.nearest.items()},
            "nearest_real": {name: asdict(found) for name, found in self.nearest_real.items()},
            "copies": sorted(name for name, found in self.nearest.items() if found.is_copy),
            "dice": self.dice,
            "comparison": self.comparison.as_content(),
        }
        return encode_json(content)


@dataclass(frozen=True)
class _Image:
    """A case on the model's grid: z-scores, 0 outside the body, and label values."""

    image_cxyz: np.ndarray
    body_xyz: np.ndarray
    values_xyz: np.ndarray


def report_quality(
    model: ModelFolder, samples: Path, runs: Sequence[RunFolder], on_case: OnCase
) -> QualityReport:
    """Compare the samples of a folder with the cases that their model was trained on.

    samples: as `write_samples` wrote them. runs: validated ones, such as of networks that were trained
    without samples, on samples alone, and on both. Raises UsageError for a folder without samples of this
    model's grid and for a run that is not validated, EnvironmentFault for a cache that changed.
    """
    file, challenge = read_model_file(model)
    dice = {str(run.root): _dice_of(run) for run in runs}
    found = discover_cases(samples / "data", challenge) if (samples / "data").is_dir() else None
    if found is None or not found.cases:
        raise UsageError(
            "no samples", file=samples, expected="the folder that segcube synthesize sample wrote"
        )
    seed = _check_origin(model, samples / "data")
    total = len(file.cases) + len(found.cases)
    known: dict[str, _Image] = {}
    for cached in open_examples(model, file, challenge):
        image_cxyz, labels_xyz = cut_case(cached, file)
        known[cached.name] = _Image(image_cxyz, labels_xyz != OUTSIDE, _values(labels_xyz, file, challenge))
        on_case(cached.name, total)
    sampled: dict[str, _Image] = {}
    for case in found.cases:
        sampled[case.name] = _read_sample(case, samples, challenge, file)
        on_case(case.name, total)
    grid, _ = grids_of(file)
    real, synthetic = (
        {name: _measure(image, grid, file, challenge) for name, image in images.items()}
        for images in (known, sampled)
    )
    comparison = Comparison(challenge.key, seed, real, synthetic, {}, "samples")
    # Samples of smaller patches have no place within a case
    nearest, nearest_real = _neighbours(known, sampled) if file.recipe.patch is None else ({}, {})
    return QualityReport(comparison, nearest, nearest_real, dice)


def _check_origin(model: ModelFolder, data: Path) -> int:
    """Return the seed of samples. Raises UsageError for those of another model, or of an unknown one."""
    origin, trained = read_sample_origin(data), read_trained(model)
    if origin is None:
        raise UsageError("no origin.yaml", file=data, expected="what segcube synthesize sample wrote")
    if trained is None or (origin.model, origin.weights) != (trained.digest, trained.sha256):
        found = f"samples of another model than {model.root}, or of an earlier training of it"
        raise UsageError(found, file=data, expected="samples of this model")
    return origin.seed


def _read_sample(case: Case, samples: Path, challenge: Challenge, file: ModelFile) -> _Image:
    try:
        volume = read_volume(case, challenge.channel_names)
        values_xyz, _, _ = read_labels(case_files(challenge, case.name, samples)[-1])
    except CaseError as error:
        raise UsageError(str(error)) from error
    if volume.grid.shape != file.patch:
        found, wanted = (" x ".join(map(str, shape)) for shape in (volume.grid.shape, file.patch))
        expected = f"{wanted}, samples of this model"
        raise UsageError(f"{case.name} has {found} voxels", file=samples, expected=expected)
    if values_xyz.shape != file.patch or not np.isin(values_xyz, list(challenge.labels.values())).all():
        found = f"the label map of {case.name} has another grid or unknown labels"
        raise UsageError(found, file=samples, expected=f"the grid of its images, labels of {challenge.key}")
    channels = [volume.voxels[challenge.channel_names.index(name)] for name in file.branch.channels]
    levels_cxyz = np.stack(channels).astype(np.float32)
    body_xyz = np.asarray((levels_cxyz > 0).any(axis=0))
    return _Image(np.where(body_xyz, (levels_cxyz - 1) / LEVELS + LOW, 0), body_xyz, values_xyz)


def _values(labels_xyz: np.ndarray, file: ModelFile, challenge: Challenge) -> np.ndarray:
    table = np.zeros(256, np.uint16)
    for index, label in enumerate(file.rules(challenge).labels):
        table[index] = challenge.labels[label]
    return table[labels_xyz]


def _measure(image: _Image, grid: Grid, file: ModelFile, challenge: Challenge) -> Values:
    """Measure an image as a scan; training cases are stored like samples before."""
    levels_cxyz = as_intensities(image.image_cxyz, image.body_xyz)
    order = [file.branch.channels.index(name) for name in challenge.channel_names]
    return measure_case(levels_cxyz[order], image.values_xyz, grid, challenge)


def _neighbours(
    known: Mapping[str, _Image], sampled: Mapping[str, _Image]
) -> tuple[dict[str, Nearest], dict[str, Nearest]]:
    """The most similar training case of each sample, and of each training case among the others."""
    vectors = {name: _vector(image) for name, image in known.items()}
    total_v, count = sum(vectors.values(), np.zeros(1, np.float32)), len(vectors)
    nearest: dict[str, Nearest] = {}
    nearest_real: dict[str, Nearest] = {}
    for name, image in sampled.items() if count > 1 else ():
        vector_v = _vector(image)
        nearest[name] = _nearest(
            {
                other: _correlation(vector_v, one_v, (total_v - one_v) / (count - 1))
                for other, one_v in vectors.items()
            }
        )
    for name, vector_v in vectors.items() if count > 2 else ():
        nearest_real[name] = _nearest(
            {
                other: _correlation(vector_v, one_v, (total_v - one_v - vector_v) / (count - 2))
                for other, one_v in vectors.items()
                if other != name
            }
        )
    return nearest, nearest_real


def _nearest(correlations: Mapping[str, float]) -> Nearest:
    best = max(correlations, key=lambda name: correlations[name])
    return Nearest(best, correlations[best])


def _correlation(one_v: np.ndarray, other_v: np.ndarray, mean_v: np.ndarray) -> float:
    """The cosine of both images' differences from the mean image."""
    one_v, other_v = one_v - mean_v, other_v - mean_v
    return float(one_v @ other_v / max(float(np.linalg.norm(one_v) * np.linalg.norm(other_v)), 1e-9))


def _vector(image: _Image) -> np.ndarray:
    """All channels at half of the resolution."""
    image_cxyz = torch.from_numpy(np.clip(image.image_cxyz, LOW, HIGH).astype(np.float32))
    return torch.nn.functional.avg_pool3d(image_cxyz, 2, ceil_mode=True).numpy().ravel()


def _dice_of(run: RunFolder) -> dict[str, float | None]:
    """The mean Dice of each region over the validated folds, weighted by their cases."""
    scores = [score for _, score in read_fold_scores(run, trained_folds(run), "final")]
    if not scores:
        hint = f"segcube validate {run.root}"
        raise UsageError("no fold is validated", file=run.root, expected="a validated run", hint=hint)
    return {region: _mean(region, scores) for region in scores[0].mean}


def _mean(region: str, scores: Sequence[FoldScores]) -> float | None:
    values = [(score.mean[region].get("dice"), score.cases) for score in scores]
    known = [(value, cases) for value, cases in values if value is not None]
    total = sum(cases for _, cases in known)
    return sum(value * cases for value, cases in known) / total if total else None
