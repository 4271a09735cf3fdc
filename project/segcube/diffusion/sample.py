"""Sample images of a model for label maps, and write them as labelled cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from segcube.core import CaseError, Grid, UsageError
from segcube.diffusion.images import GAIN, LIMITS, as_intensities, condition, network_input
from segcube.diffusion.masks import MaskSource, draw_mask
from segcube.diffusion.model import (
    ModelFile,
    ModelFolder,
    open_examples,
    read_model_file,
    read_trained,
    read_weights,
)
from segcube.diffusion.network import Denoiser, build_denoiser, check_weights
from segcube.diffusion.process import Process, build_process
from segcube.formats.nifti import foreign_files, is_written_by_segcube, read_labels
from segcube.phantoms import OnCase, case_files, case_name, challenge_on_grid, write_challenge, write_image
from segcube.spec.challenges import Challenge, UsualGrid
from segcube.training import OUTSIDE, StepKey, lock_fold, open_device, set_exactness
from segcube.training.cache import CachedCase
from segcube.training.cases import SAMPLE_MARK, SampleOrigin, read_sample_origin, write_sample_origin


@dataclass(frozen=True)
class SampleRequest:
    """Cases to sample from a model.

    steps: forward passes of each, in place of the recipe's. first: the number in the name of the first case;
    None for one after those of the run's cases.
    """

    model: ModelFolder
    count: int = 1
    masks: MaskSource = "deformed"
    seed: int = 0
    first: int | None = None
    steps: int | None = None
    device: str = "auto"


@dataclass(frozen=True)
class Sample:
    """A sampled case: z-scores (C, X, Y, Z), and label indices with OUTSIDE beyond the body."""

    image_cxyz: np.ndarray
    labels_xyz: np.ndarray


@dataclass(frozen=True, eq=False)
class OpenModel:
    """A trained model in memory."""

    file: ModelFile
    challenge: Challenge
    network: Denoiser
    process: Process
    cases: tuple[CachedCase, ...]
    """Whose label maps may be sampled from."""
    device: torch.device

    def sample(self, masks: MaskSource, key: StepKey) -> Sample:
        """Sample a case: a function of the key, whose step is the sample's index."""
        labels_bxyz = draw_mask(masks, self.cases, self.file, self.challenge, key)
        masks_bkxyz = condition(labels_bxyz.to(self.device), len(self.challenge.labels))
        image_bcxyz = denoise(self.network, self.process, masks_bkxyz, len(self.file.branch.channels), key)
        return Sample((image_bcxyz[0] / GAIN).cpu().numpy(), labels_bxyz[0].numpy())


def open_model(request: SampleRequest) -> OpenModel:
    """Load a model. Raises UsageError and EnvironmentFault as `read_weights` and `open_examples` do."""
    folder, device = request.model, open_device(request.device)
    set_exactness(device, exact=False)
    file, challenge = read_model_file(folder)
    weights = read_weights(folder)
    with torch.device("meta"):
        network = build_denoiser(file.recipe, len(file.branch.channels), challenge)
    # The shapes first: a description of another network could ask for any amount of memory
    check_weights(network, weights, folder.final)
    network.unet.load_state_dict(weights, assign=True)
    rules = file.recipe.process
    if request.steps is not None:
        if rules.kind == "ddpm" and request.steps > rules.noise_steps:
            raise UsageError(f"--steps {request.steps}", expected=f"at most {rules.noise_steps}")
        rules = rules.model_copy(update={"sampling_steps": request.steps})
    cases = open_examples(folder, file, challenge) if request.masks != "phantoms" else ()
    process = build_process(rules, LIMITS)
    return OpenModel(file, challenge, network.to(device).eval(), process, cases, device)


@torch.inference_mode()
def denoise(
    network: Denoiser, process: Process, masks_bkxyz: torch.Tensor, channels: int, key: StepKey
) -> torch.Tensor:
    """Return scaled images (B, C, X, Y, Z) for masks: a function of network, masks and key."""
    shape = (len(masks_bkxyz), channels, *masks_bkxyz.shape[2:])
    device = masks_bkxyz.device
    generator = key.device_generator("sample", device)
    noisy_bcxyz = torch.randn(shape, generator=generator, device=device)
    for time, next_time in pairwise(process.times()):
        time_b = torch.full((shape[0],), time, device=device)
        prediction_bcxyz = network(network_input(noisy_bcxyz, masks_bkxyz, time_b))
        noisy_bcxyz = process.step(noisy_bcxyz, prediction_bcxyz, time, next_time, generator)
    return noisy_bcxyz


def write_samples(request: SampleRequest, out: Path, on_case: OnCase) -> Iterator[str]:
    """Sample cases and write them to out/data and out/labels; yields the name of each.

    out/challenge.yaml is the challenge on the model's grid, out/data/origin.yaml the patients that the model
    was trained on. A case that is there already, of the same model and seed, is not sampled again. Raises
    UsageError for a folder with anything else, and as `open_model` does.
    """
    model = open_model(request)
    origin = _origin(request, model)
    first = request.first or model.file.first_number
    indices = range(first - 1, first - 1 + request.count)
    if not model.challenge.is_case(last := case_name(model.challenge, indices[-1])):
        raise UsageError(f"{last} is no case of {model.challenge.key}", expected="lower numbers of cases")
    names = [case_name(model.challenge, index) for index in indices]
    if out.resolve() == request.model.root.resolve():
        raise UsageError("is the model's own folder", file=out, expected="another one for samples")
    grid, usual = grids_of(model.file)
    with lock_fold(out, "samples"):
        _check_place(model, origin, names, out)
        challenge = challenge_on_grid(model.challenge, f"{model.challenge.key}-samples", usual)
        write_challenge(challenge, out, f"{model.challenge.key} on the grid of the model")
        (out / "data").mkdir(parents=True, exist_ok=True)
        write_sample_origin(origin, out / "data")
        for index, name in zip(indices, names, strict=True):
            files = case_files(model.challenge, name, out)
            if not all(map(_is_complete, files)):
                sample = model.sample(request.masks, StepKey(request.seed, index))
                for array_xyz, file in zip(_arrays(sample, model), files, strict=True):
                    write_image(array_xyz, grid, file, SAMPLE_MARK, origin.digest)
            on_case(name, request.count)
            yield name


def _is_complete(file: Path) -> bool:
    """Whether an image was written to its end."""
    try:
        read_labels(file)
    except CaseError:
        return False
    return True


def grids_of(file: ModelFile) -> tuple[Grid, UsualGrid]:
    """Return the grid of a model's images, and the same as a challenge describes it."""
    x, y, z = file.patch
    directions, spacing = str(file.branch.orientation), file.recipe.spacing
    steps = [
        step if letter == positive else -step
        for step, letter, positive in zip(spacing, directions, "RAS", strict=True)
    ]
    usual = UsualGrid(shape=(x, y, z), spacing=spacing, orientation=directions)
    return Grid((x, y, z), np.diag([*steps, 1.0])), usual


def _arrays(sample: Sample, model: OpenModel) -> list[np.ndarray]:
    """The images in the challenge's order of channels, and the label map."""
    body_xyz = sample.labels_xyz != OUTSIDE
    image_cxyz = as_intensities(sample.image_cxyz, body_xyz)
    order = [model.file.branch.channels.index(name) for name in model.challenge.channel_names]
    labels = model.file.rules(model.challenge).labels
    values = np.zeros(256, np.uint8)
    for index, label in enumerate(labels):
        values[index] = model.challenge.labels[label]
    return [*image_cxyz[order], values[sample.labels_xyz]]


def _origin(request: SampleRequest, model: OpenModel) -> SampleOrigin:
    trained = read_trained(request.model)
    assert trained is not None, "a model with weights"
    return SampleOrigin(
        model=trained.digest,
        weights=trained.sha256,
        masks=request.masks,
        seed=request.seed,
        steps=request.steps or model.file.recipe.process.sampling_steps,
        patients=model.file.patients,
    )


def _check_place(model: OpenModel, origin: SampleOrigin, names: list[str], out: Path) -> None:
    """Raise UsageError for files of other programs, and for samples of another model or seed."""
    files = [file for name in names for file in case_files(model.challenge, name, out)]
    if foreign := foreign_files(files, lambda file: is_written_by_segcube(file, SAMPLE_MARK)):
        found = f"would replace {foreign[0].relative_to(out)}, which is no sample"
        raise UsageError(found, file=out, expected="an empty folder, or one with samples")
    before = read_sample_origin(out / "data")
    others = list((out / "data").glob("*")) if before is None else []
    if before is not None and before != origin:
        found = "holds samples of another model, seed, source of label maps or number of steps"
        raise UsageError(found, file=out, expected="an empty folder, or samples of the same")
    if others:
        found = f"holds {others[0].name}, which is no sample"
        raise UsageError(found, file=out / "data", expected="an empty folder")
