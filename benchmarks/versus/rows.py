"""The matrices: what `make bench`, `make bench-full` and a quick try run, and what must hold in each row."""

from __future__ import annotations

from dataclasses import replace

from versus.plans import BRATS, COARSE, MBAS, MBAS_COARSE, RESENC_M, TINY, TINY_FLAT
from versus.specs import Goal, Row

RIVALS = ("nnunet", "nnunet-kept", "monai", "fp32", "bf16")
EVERYONE = (*RIVALS, "torch")
FEWER = ("nnunet", "nnunet-kept", "fp32", "bf16")
OURS = ("fp32", "bf16")
ON_CUDA = ("nnunet", "monai", "fp16", "bf16")


def goals(fp32: float, bf16: float, leaner: float = 2.5) -> tuple[Goal, ...]:
    """What must hold on a CPU; fp32, bf16: how many times as fast as nnU-Net's command line."""
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
    Row("1 fold, 2 windows", COARSE, OURS),
    replace(MIRRORS, plan=COARSE),
    replace(HEART, name="MBAS plan, 20 windows", plan=MBAS_COARSE),
    replace(HEART, contestants=OURS, goals=()),
    CASES,
)
FULL = (
    replace(ONE, contestants=EVERYONE),
    replace(FIVE, contestants=EVERYONE, rounds=3),
    replace(MIRRORS, contestants=EVERYONE, rounds=3),
    replace(HEART, contestants=EVERYONE, rounds=3),
    replace(CASES, contestants=EVERYONE),
    replace(FIVE, name="5 folds, 5 cases", contestants=FEWER, cases=5, goals=()),
    replace(HEART, name="MBAS plan, 5 cases", contestants=FEWER, cases=5, goals=()),
    Row("ResEncM, 1 fold", RESENC_M, EVERYONE),
)
QUICK = (
    Row("1 fold", TINY, ("nnunet", "monai", "fp32", "bf16", "torch"), goals=ONE.goals),
    Row("MBAS plan", TINY_FLAT, ("nnunet", "fp32"), goals=HEART.goals),
    Row("5 folds", TINY, ("fp32",), folds=5),
    Row("1 fold, 5 cases", TINY, OURS, cases=5),
)
CUDA = (
    Row("1 fold, CUDA", BRATS, ON_CUDA, rounds=3, device="cuda", goals=(Goal("fp16", "nnunet", 4),)),
    Row(
        "ResEncM, 5 folds, 8 mirrors, CUDA",
        RESENC_M,
        ("nnunet", "fp16", "bf16"),
        folds=5,
        mirrors=True,
        rounds=3,
        device="cuda",
        goals=(Goal("fp16", "nnunet", 2),),
    ),
    Row("MBAS plan, CUDA", MBAS, ON_CUDA, rounds=3, device="cuda"),
    Row("1 fold, 10 cases, CUDA", BRATS, ("nnunet", "fp16"), cases=10, device="cuda"),
    Row(
        "ResEncM, 5 folds, 8 mirrors, 10 cases, CUDA",
        RESENC_M,
        ("fp16",),
        folds=5,
        mirrors=True,
        cases=10,
        device="cuda",
    ),
)
