"""A tiny model of a run of four cases, and its samples."""

from dataclasses import replace

from segcube.diffusion import ModelOptions, ModelRequest, SampleRequest, load_diffusion_recipe, write_samples
from segcube.training.cases import ExtraData, ExtraRules
from segcube.training.recipes import load_recipe
from segcube.training.run import RunFolder, plan_run

from ..training.run.small import OVERRIDES, request_of

TINY = {
    "spacing": [2, 2, 2],
    "network": {"channels": [4, 4], "attention": [False, False], "groups": 2, "head_channels": 2},
    "process": {"sampling_steps": 2},
    "schedule": {"warmup": 0},
    "steps": 6,
}
CPU = ModelOptions(device="cpu")


def no_bar(_case, _total):
    pass


def request_for(run, fold=0, **changes):
    return ModelRequest(run, fold, load_diffusion_recipe("toy", TINY | changes))


def sampled(folder, out, **changes):
    request = SampleRequest(folder, device="cpu", **changes)
    return list(write_samples(request, out, no_bar))


def files_of(out):
    return {file.name: file.read_bytes() for file in sorted(out.rglob("*.nii.gz"))}


def planned_with(run, samples, folder, rules=None, **changes):
    planned = RunFolder(folder / "with-samples")
    extra = ExtraData(samples / "data", str(samples / "challenge.yaml"), samples / "labels")
    recipe = load_recipe("fast", OVERRIDES)
    request = request_of(run.root.parent / "data", recipe=recipe, extra=(extra,), folds=run.folds, **changes)
    plan_run(replace(request, extra_rules=rules or ExtraRules()), planned)
    return planned
