"""Performance of a CUDA device: forwards against plain torch, windows per second, and utilisation.

Random weights, synthetic cases; about two minutes. Without a device it prints a message and ends.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
import yaml
from cases import copies_of, write_cases
from rich.console import Console
from rich.table import Table
from versus.measure import gpu_watched

from segcube import load
from segcube.backends import Network
from segcube.backends.cuda.backend import open_cuda
from segcube.backends.torch_cpu import TorchBackend
from segcube.core import RunSettings
from segcube.inference.folder import Request, run_folder
from segcube.inference.windows import plan_windows
from segcube.networks import build_network, save_network
from segcube.spec.submission import MemberFile

WINDOW = (128, 128, 128)
CHANNELS, REGIONS = ("t1c", "t1n", "t2f", "t2w"), ("TC", "WT", "ET")
FOLDS, CASES = 5, 10
WARM, TIMES = 12, 10
"""Forwards to warm up, in which graphs are captured, and to measure."""
MEDNEXT = {"in_channels": 4, "out_channels": 3, "size": "B"}
RESENC_M = {
    "input_channels": 4,
    "num_classes": 3,
    "n_stages": 6,
    "features_per_stage": [32, 64, 128, 256, 320, 320],
    "kernel_sizes": [[3, 3, 3]] * 6,
    "strides": [[1, 1, 1]] + [[2, 2, 2]] * 5,
    "n_blocks_per_stage": [1, 3, 4, 6, 6, 6],
    "n_conv_per_stage_decoder": [1] * 5,
    "conv_bias": True,
    "norm_op": "torch.nn.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-5, "affine": True},
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}


@dataclass(frozen=True)
class Bench:
    """The folder of the networks, and the log."""

    folder: Path
    log: Callable[[str], None]

    def save(self, name: str, arguments: dict[str, object]) -> MemberFile:
        """Save a network of random weights."""
        file = self.folder / f"{name}.safetensors"
        torch.manual_seed(0)
        sha256 = save_network(build_network(name, arguments), name, arguments, file)
        return MemberFile(file, sha256, len(CHANNELS), len(REGIONS), WINDOW)

    def forwards(self, member: MemberFile, table: Table) -> None:
        """Milliseconds of a window, plain torch in fp16 against the CUDA backend."""
        for windows in (1, 4):
            batch = torch.randn(windows, len(CHANNELS), *WINDOW, device="cuda")
            plain = milliseconds(TorchBackend("cuda:0", "fp16", "plain").load(member), batch) / windows
            torch.cuda.empty_cache()
            native = milliseconds(open_cuda("cuda:0", "fp16", "auto", self.log).load(member), batch) / windows
            torch.cuda.empty_cache()
            found = f"{plain:.1f} ms, {native:.1f} ms: {plain / native:.2f} times as fast"
            table.add_row(f"{member.file.stem}, {windows} at once: eager fp16, segcube", found)

    def submission(self, member: MemberFile, folds: int, flips: str) -> Path:
        """A submission of `folds` copies of the member."""
        weights = self.folder / f"weights{folds}{flips}"
        weights.mkdir()
        names = [f"fold{fold}.safetensors" for fold in range(folds)]
        for name in names:
            (weights / name).symlink_to(member.file)
        branch = {
            "channels": list(CHANNELS),
            "crop": "none",
            "normalize": {"scheme": "zscore", "mask": "nonzero"},
            "outputs": {"kind": "regions", "names": list(REGIONS)},
            "window": {"size": list(WINDOW), "overlap": 0.5, "plan": "nnunet"},
            "flips": list(flips),
            "members": [{"file": name, "sha256": member.sha256} for name in names],
        }
        stage = {"name": "tumour", "branches": [branch]}
        content = {"name": "gpu-bench", "challenge": "brats2023-gli", "stages": [stage]}
        (weights / "submission.yaml").write_text(yaml.safe_dump(content))
        return weights


def milliseconds(network: Network, batch_ncxyz: torch.Tensor) -> float:
    """Milliseconds of the median forward."""
    for _ in range(WARM):
        network(batch_ncxyz)
    found = []
    for _ in range(TIMES):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        network(batch_ncxyz)
        end.record()
        end.synchronize()
        found.append(start.elapsed_time(end))
    return median(found)


def windows_a_second(weights: Path, case: Path) -> str:
    """Windows per second of a case that is predicted a second time."""
    session = load(weights, device="cuda")
    session.predict(case)
    start = perf_counter()
    prediction = session.predict(case)
    wall, seconds = perf_counter() - start, prediction.seconds["windows tumour"]
    branch = session.models.loaded.submission.stages[0].branches[0]
    plan = plan_windows(prediction.grid.shape, branch.window)
    windows = len(plan.starts) * len(branch.members) * 2 ** len(branch.flips)
    return f"{windows / seconds:.1f} ({windows} in {seconds:.1f} s; the case took {wall:.1f} s)"


def busy_share(weights: Path, data: Path, out: Path) -> str:
    """Utilisation of the device between the first and the last map, and seconds per case."""
    with gpu_watched("cuda") as gpu:
        run_folder(Request(data, out, weights, RunSettings(device="cuda")))
    finished = sorted(file.stat().st_mtime for file in out.iterdir())
    seconds = (finished[-1] - finished[0]) / (len(finished) - 1)
    busy = gpu.mean(finished[0], finished[-1])
    return ("not measured" if busy is None else f"{busy:.0%}") + f" of the time, {seconds:.2f} s a case"


def main() -> None:
    if not torch.cuda.is_available():
        print("no CUDA device: nothing measured")
        return
    console = Console(width=120)
    table = Table("what", "found", title=f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Path(scratch), console.print)
        bench.forwards(bench.save("MedNeXtV1", MEDNEXT), table)
        resenc = bench.save("ResidualEncoderUNet", RESENC_M)
        bench.forwards(resenc, table)
        one = write_cases("brats2023-gli", 1, bench.folder / "one")
        ensemble = bench.submission(resenc, FOLDS, "xyz")
        rate = windows_a_second(ensemble, min(one.iterdir()))
        table.add_row(f"ResEncM, {FOLDS} folds and 8 mirrors: windows per second", rate)
        cases = copies_of(one, CASES, bench.folder / "cases")
        alone = bench.submission(resenc, 1, "")
        for weights, name in ((ensemble, f"{FOLDS} folds and 8 mirrors"), (alone, "1 fold")):
            share = busy_share(weights, cases, bench.folder / f"maps of {name}")
            table.add_row(f"ResEncM, {name}, {CASES} cases: utilisation", share)
    console.print(table)


if __name__ == "__main__":
    main()
