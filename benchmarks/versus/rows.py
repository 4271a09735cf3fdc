"""The rows of the benchmark: plans of models, contestants of each row, and the goals that must hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Three = tuple[int, int, int]
Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Plan:
    """An nnU-Net plan of random weights; sizes and spacings are in nnU-Net's order (z, y, x)."""

    name: str
    challenge: str
    channels: tuple[str, ...]
    labels: tuple[str, ...]
    patch: Three
    spacing: tuple[float, float, float]
    masked: bool
    """Normalise over foreground voxels only."""
    features: tuple[int, ...]
    blocks: tuple[int, ...]
    kernels: tuple[Three, ...]
    strides: tuple[Three, ...]
    seed: int
    """Of the synthetic cases."""
    coarser: Three = (1, 1, 1)
    """Factors of the challenge's voxel size, for a quick run."""


@dataclass(frozen=True)
class Goal:
    """The least ratio of time and memory of a rival to those of a contestant; None without a goal."""

    contestant: str
    rival: str
    faster: float | None = None
    leaner: float | None = None


@dataclass(frozen=True)
class Row:
    """One row: every contestant in turn, `rounds` times."""

    name: str
    plan: Plan
    contestants: tuple[str, ...]
    folds: int = 1
    mirrors: bool = False
    cases: int = 1
    rounds: int = 1
    device: Device = "cpu"
    goals: tuple[Goal, ...] = ()


# The seeds make brains that crop to about 135 x 176 x 138 voxels, eight windows, and hearts of 640 x 640 x
# 44, 80 windows; the coarser ones have two and 20 windows.
CUBES = ((3, 3, 3),) * 6
HALVINGS = ((1, 1, 1), *((2, 2, 2),) * 5)
FLAT = (*((1, 3, 3),) * 2, *((3, 3, 3),) * 4)
FLAT_HALVINGS = ((1, 1, 1), *((1, 2, 2),) * 2, *((2, 2, 2),) * 3)

BRATS = Plan(
    name="ResEncUNet 6 M, BraTS",
    challenge="brats2023-gli",
    channels=("t1n", "t1c", "t2w", "t2f"),
    labels=("background", "NCR", "ED", "ET"),
    patch=(128, 128, 128),
    spacing=(1.0, 1.0, 1.0),
    masked=True,
    features=(16, 32, 64, 96, 112, 112),
    blocks=(1, 2, 2, 2, 2, 2),
    kernels=CUBES,
    strides=HALVINGS,
    seed=2033,
)
MBAS = Plan(
    name="ResEncUNet 6 M, MBAS",
    challenge="mbas2024",
    channels=("lge",),
    labels=("background", "wall", "RA", "LA"),
    patch=(16, 256, 256),
    spacing=(2.5, 0.625, 0.625),
    masked=False,
    features=BRATS.features,
    blocks=BRATS.blocks,
    kernels=FLAT,
    strides=FLAT_HALVINGS,
    seed=12351,
)
COARSE = replace(
    BRATS, name="ResEncUNet 6 M, BraTS in voxels of 2 x 2 x 1 mm", spacing=(2.0, 2.0, 1.0), coarser=(2, 2, 1)
)
MBAS_COARSE = replace(
    MBAS, name="ResEncUNet 6 M, MBAS in pixels of 1.25 mm", spacing=(2.5, 1.25, 1.25), coarser=(1, 2, 2)
)
RESENC_M = replace(
    BRATS, name="ResEncM 102 M, BraTS", features=(32, 64, 128, 256, 320, 320), blocks=(1, 3, 4, 6, 6, 6)
)
TINY = replace(
    BRATS,
    name="tiny, BraTS",
    patch=(32, 32, 32),
    spacing=(3.0, 3.0, 3.0),
    features=(4, 8, 8),
    blocks=(1, 1, 1),
    kernels=CUBES[:3],
    strides=HALVINGS[:3],
    coarser=(3, 3, 3),
)
TINY_FLAT = replace(
    MBAS,
    name="tiny, MBAS",
    patch=(16, 64, 64),
    spacing=(2.5, 2.5, 2.5),
    features=TINY.features,
    blocks=TINY.blocks,
    kernels=FLAT[1:4],
    strides=(*FLAT_HALVINGS[:2], *HALVINGS[-1:]),
    coarser=(1, 4, 4),
)


RIVALS = ("nnunet", "nnunet-kept", "monai", "fp32", "bf16")
EVERYONE = (*RIVALS, "torch")
NATIVE = ("fp32", "bf16")
ON_CUDA = ("nnunet", "monai", "fp16", "bf16")


def goals(fp32: float, bf16: float, leaner: float = 2.5) -> tuple[Goal, ...]:
    """The goals on a CPU; fp32, bf16: the least ratios of nnU-Net's time to theirs."""
    return (
        Goal("fp32", "nnunet", fp32, leaner),
        Goal("fp32", "nnunet-kept", 2.5),
        Goal("fp32", "monai", 2.5, 1 / 0.7),
        Goal("bf16", "nnunet", bf16, leaner),
        Goal("bf16", "nnunet-kept", 2.5),
        Goal("bf16", "monai", 4.5, 1 / 0.7),
    )


ONE = Row("1 fold", BRATS, RIVALS, rounds=3, goals=goals(4.5, 8))
FIVE = Row("5 folds", BRATS, RIVALS, folds=5, goals=goals(3, 5.5))
MIRRORS = Row("8 mirrors", BRATS, RIVALS, mirrors=True, goals=goals(3, 5.5))
HEART = Row("MBAS plan", MBAS, RIVALS, goals=goals(4, 6, leaner=2))
CASES = Row("1 fold, 5 cases", BRATS, RIVALS, cases=5)

SHORT = (
    ONE,
    replace(FIVE, plan=COARSE),
    Row("1 fold, 2 windows", COARSE, NATIVE),
    replace(MIRRORS, plan=COARSE),
    replace(HEART, name="MBAS plan, 20 windows", plan=MBAS_COARSE),
    replace(HEART, contestants=NATIVE, goals=()),
    CASES,
)
FULL = (
    *(replace(row, contestants=EVERYONE, rounds=3) for row in (ONE, FIVE, MIRRORS, HEART)),
    replace(CASES, contestants=EVERYONE),
    Row("5 folds, 5 cases", BRATS, EVERYONE[:2] + NATIVE, folds=5, cases=5),
    Row("MBAS plan, 5 cases", MBAS, EVERYONE[:2] + NATIVE, cases=5),
    Row("ResEncM, 1 fold", RESENC_M, EVERYONE),
)
QUICK = (
    Row("1 fold", TINY, ("nnunet", "monai", "fp32", "bf16", "torch"), goals=ONE.goals),
    Row("MBAS plan", TINY_FLAT, ("nnunet", "fp32"), goals=HEART.goals),
    Row("5 folds", TINY, ("fp32",), folds=5),
    Row("1 fold, 5 cases", TINY, NATIVE, cases=5),
)
MANY = Row("ResEncM, 5 folds, 8 mirrors, CUDA", RESENC_M, ON_CUDA, 5, mirrors=True, rounds=3, device="cuda")
CUDA = (
    Row("1 fold, CUDA", BRATS, ON_CUDA, rounds=3, device="cuda", goals=(Goal("fp16", "nnunet", 4),)),
    replace(MANY, contestants=("nnunet", "fp16", "bf16"), goals=(Goal("fp16", "nnunet", 2),)),
    Row("MBAS plan, CUDA", MBAS, ON_CUDA, rounds=3, device="cuda"),
    Row("1 fold, 10 cases, CUDA", BRATS, ("nnunet", "fp16"), cases=10, device="cuda"),
    replace(MANY, name=f"{MANY.name}, 10 cases", contestants=("fp16",), cases=10, rounds=1),
)
