"""Options and arguments of the commands that train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Run: TypeAlias = Annotated[
    Path, typer.Argument(metavar="RUN", help="Folder of a run, which `segcube plan` wrote.")
]
Runs: TypeAlias = Annotated[
    list[Path],
    typer.Argument(metavar="RUN...", help="Folders of one or more runs, which `segcube plan` wrote."),
]
Tuned: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Rules and weights of the runs, from `segcube tune --run`. Default: none.",
        show_default=False,
    ),
]
Steps: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, help="Number of training steps. Default: the recipe's.", show_default=False),
]
FoldToTrain: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--fold",
        help="A fold's number, or 'all': one training on every case, not validated. Default: each fold in "
        "turn.",
        show_default=False,
    ),
]
FoldList: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--folds",
        "--fold",
        help="Folds, such as 0,2 or 0-4. Default: all that are trained.",
        show_default=False,
    ),
]
FreshTraining: TypeAlias = Annotated[
    bool, typer.Option("--fresh", help="Remove an earlier training of the fold and start at step 0.")
]
Init: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--init",
        metavar="WEIGHTS|RUN",
        help="Start from trained weights: a submission with one member, a .safetensors file of one, or a "
        "run, whose fold of the same number is taken. Default: random weights.",
        show_default=False,
    ),
]
Freeze: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--freeze",
        metavar="PRESET|PATTERN",
        help="With --init: parameters that stay as they are: ugrip (all but the last 26 tensors), body (all "
        "but the heads), or a pattern of names such as 'enc_block_*'; repeatable. Default: none.",
        show_default=False,
    ),
]
Reset: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--reset",
        metavar="heads|LABEL|PATTERN",
        help="With --init: what starts from random weights: all heads, an output of them such as ET, or a "
        "pattern of tensor names; repeatable. Default: none.",
        show_default=False,
    ),
]
Exact: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--exact",
        help="Deterministic kernels on a GPU: a resumed training ends in the same weights, to the bit.",
    ),
]
Exports: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--log-to",
        metavar="TOOL",
        help="Also write the log for tensorboard, wandb or trackio; repeatable. Default: none.",
        show_default=False,
    ),
]
Overfit: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Test run: train on so many fixed patches (of fold 0 by default) until their Dice is 0.95, at "
        "most --steps (1000); saves nothing. Default: none.",
        show_default=False,
    ),
]
SaveProbabilities: TypeAlias = Annotated[
    bool, typer.Option("--save-probabilities", help="Also save probabilities, as float32 in .npz files.")
]
