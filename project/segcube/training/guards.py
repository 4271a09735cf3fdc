"""What keeps a training from being lost: steps that are not finite, memory, divergence, two processes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch

from segcube.core import EnvironmentFault, SegcubeError, UsageError, write_atomic
from segcube.training.step import TrainingBatch

MOST_SKIPPED = 10
"""Consecutive steps whose loss or gradient is not finite, after which a training stops."""
MEMORY = 0.98
"""Decay of the mean loss of the divergence check: about 50 steps."""
DIVERGED = 2.0
"""A rise of the mean loss above its lowest value that counts as divergence."""


class TrainingFault(SegcubeError):
    """A training that cannot go on (exit 5)."""

    exit_code = EnvironmentFault.exit_code


@contextmanager
def lock_fold(folder: Path, verb: str = "trains") -> Generator[None, None, None]:
    """Keep other processes from working in a folder, such as that of a fold.

    verb: what the process does, for the message. The lock ends with the process, however that ends. Raises
    UsageError where another works there already, EnvironmentFault for a folder that cannot be written.
    """
    file = folder / "lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = file.open("a+")
    except OSError as error:
        found = f"cannot be written: {error.strerror}"
        raise EnvironmentFault(found, file=folder, hint="choose another folder") from error
    with opened as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.seek(0)
            raise UsageError(
                f"process {handle.read().strip() or 'unknown'} {verb} in this folder",
                file=folder,
                hint="wait for it, or stop it",
            ) from error
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        yield


def check_skipped(skipped: int, folder: Path) -> None:
    """Raise TrainingFault after too many consecutive steps without an update."""
    if skipped >= MOST_SKIPPED:
        raise TrainingFault(
            f"loss or gradient were not finite in {skipped} consecutive steps",
            file=folder / "bad",
            expected="finite numbers",
            hint="look at the batches saved there; precision bf16 or fp32, or a lower learning rate may help",
        )


def save_batch(folder: Path, step: int, batch: TrainingBatch) -> Path:
    """Save the batch of a step as bad/step-N.safetensors; returns the file."""
    file = folder / "bad" / f"step-{step:09d}.safetensors"
    tensors = {"image_bcxyz": batch.image_bcxyz, "target": batch.target}
    write_atomic(file, safetensors.torch.save({k: v.cpu().contiguous() for k, v in tensors.items()}))
    return file


DIVISIBLE = "loss.batch_dice: false, and another loss.entropy than topk"


def check_divided(parts: int, *, divisible: bool) -> None:
    """Raise TrainingFault for a batch in parts, as in an edited plan, whose loss is not `divisible`."""
    if parts > 1 and not divisible:
        raise TrainingFault(
            f"the batch is divided into {parts} parts, whose loss is not that of the batch: that has a Dice "
            "over the batch, or its hardest voxels (topk)",
            expected=f"accumulate: 1 in plan.yaml, or {DIVISIBLE}",
            hint="a state keeps its parts: --fresh starts the training anew",
        )


def more_parts(parts: int, batch: int, *, divisible: bool) -> int:
    """Return into how many parts to divide a batch that did not fit into memory.

    Raises TrainingFault where no smaller part exists, or where the loss is not `divisible`.
    """
    if not divisible:
        raise TrainingFault(
            "out of memory; a Dice over the batch, or its hardest voxels (topk), keep it from being divided",
            expected=f"more memory, a smaller batch or patch, or {DIVISIBLE}",
        )
    if parts >= batch:
        raise TrainingFault(
            "out of memory with a single sample",
            expected="more memory, a smaller patch or network, or gradient_checkpointing: 'on'",
        )
    return min(parts * 2, batch)


@dataclass
class Divergence:
    """Watches the mean loss."""

    mean: float | None = None
    lowest: float = float("inf")
    reported: bool = False

    def update(self, loss: float) -> bool:
        """Take a loss; returns whether the training has just diverged."""
        self.mean = loss if self.mean is None else MEMORY * self.mean + (1 - MEMORY) * loss
        self.lowest = min(self.lowest, self.mean)
        diverged = self.mean > self.lowest + DIVERGED
        new = diverged and not self.reported
        self.reported = diverged
        return new
