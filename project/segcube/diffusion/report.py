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
from segcube.diffusion.model import ModelFile, ModelFolder, read_model_file
from segcube.diffusion.sample import grids_of
from segcube.evaluation import encode_json
from segcube.formats import discover_cases
from segcube.formats.nifti import read_labels, read_volume
from segcube.phantoms import Comparison, OnCase, Values, case_files, measure_case
from segcube.spec.challenges import Challenge
from segcube.training import OUTSIDE
from segcube.training.cache import open_cache
from segcube.training.run import FoldScores, RunFolder, read_fold_scores, trained_folds

COPY = 0.9
"""A correlation with a training case from which on a sample counts as a copy of it."""


@dataclass(frozen=True)
class Nearest:
    """The training case that a sample resembles most.

    correlation: of both images' differences from the mean of the training cases, over all channels, at half
    of the resolution.
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

    nearest: of each sample. nearest_real: the same of each training case among the others. dice: of each
    validated run, the mean Dice of each region.
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
    dice = {run.name: _dice_of(run) for run in runs}
    found = discover_cases(samples / "data", challenge)
    if not found.cases:
        raise UsageError(
            "no samples", file=samples, expected="the folder that segcube synthesize sample wrote"
        )
    total = len(file.cases) + len(found.cases)
    known: dict[str, _Image] = {}
    for cached in open_cache(model.cache, [case.name for case in file.cases], file.rules(challenge)):
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
    comparison = Comparison(challenge.key, 0, real, synthetic, {}, "samples")
    nearest, nearest_real = _neighbours(known, sampled)
    return QualityReport(comparison, nearest, nearest_real, dice)


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
    names = list(known)
    vectors_nv = np.stack([_vector(image) for image in known.values()])
    mean_v = vectors_nv.mean(axis=0)
    vectors_nv = _unit(vectors_nv - mean_v)
    nearest: dict[str, Nearest] = {}
    for name, image in sampled.items():
        similar_n = vectors_nv @ _unit(_vector(image)[None] - mean_v)[0]
        best = int(similar_n.argmax())
        nearest[name] = Nearest(names[best], float(similar_n[best]))
    similar_nn = vectors_nv @ vectors_nv.T
    np.fill_diagonal(similar_nn, -2)
    return nearest, {
        name: Nearest(names[int(row.argmax())], float(row.max()))
        for name, row in zip(names, similar_nn, strict=True)
        if len(names) > 1
    }


def _vector(image: _Image) -> np.ndarray:
    """All channels at half of the resolution."""
    image_cxyz = torch.from_numpy(np.clip(image.image_cxyz, LOW, HIGH).astype(np.float32))
    return torch.nn.functional.avg_pool3d(image_cxyz, 2, ceil_mode=True).numpy().ravel()


def _unit(vectors_nv: np.ndarray) -> np.ndarray:
    return vectors_nv / np.maximum(np.linalg.norm(vectors_nv, axis=1, keepdims=True), 1e-9)


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
