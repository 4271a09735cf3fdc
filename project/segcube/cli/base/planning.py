"""Options and arguments of `segcube plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer


def complete_recipe(incomplete: str) -> list[str]:
    """The names of recipes that begin with a text, for the shell's completion."""
    from segcube.training.recipes import recipe_names

    return [name for name in recipe_names() if name.startswith(incomplete)]


LabelledData: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="DATA", help="Folder of labelled cases: in the challenge's layout, or nnU-Net's raw layout."
    ),
]
RunOut: TypeAlias = Annotated[Path, typer.Option("-o", "--out", help="Folder of the run.")]
RecipeName: TypeAlias = Annotated[
    str,
    typer.Option(
        "--recipe",
        help="nnunet, resenc-m, resenc-l, resenc-xl, mednext-S-kK (S: s, b, m or l; K: 3 or 5), "
        "mednext-aug2, mednext-aug3, nnunet-cascade, mbas-stage1, mbas-stage2, other first stages of MBAS "
        "(mbas-..., in docs/training.md), fast, the starters (brats-starter, "
        "mbas-starter-heart, mbas-starter-atria), or a YAML file that inherits from one.",
        autocompletion=complete_recipe,
    ),
]
Values: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A value of the recipe, such as optimizer.learning_rate=0.001, planning.batch=4 or "
        "planning.patch=[96,128,128]; repeatable. Default: none.",
    ),
]
LabelFolder: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--ref", help="Folder of label maps. Default: beside the images, or labelsTr.", show_default=False
    ),
]
IgnoreLabel: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--ignore-label",
        min=0,
        help="Label value of voxels that take no part in training. Default: that of dataset.json, else none.",
        show_default=False,
    ),
]
SplitOf: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="N|FILE",
        help="Number of folds, or a file that lists them: folds.yaml, splits_final.json or BraTS-UGRIP's "
        "JSON. Default: 5, by patient; with phantoms alone 1.",
        show_default=False,
    ),
]
ExtraFolders: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--extra",
        metavar="DIR",
        help="Further folder of labelled cases, such as another population or synthetic cases; repeatable. "
        "Default: none.",
        show_default=False,
    ),
]
ExtraChallenges: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--extra-challenge",
        metavar="KEY|FILE",
        help="Challenge of the --extra folders, whose labels are matched by name: once for all, or for each "
        "in turn. Default: --challenge.",
        show_default=False,
    ),
]
ExtraLabelFolders: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--extra-ref",
        metavar="DIR",
        help="Folder of label maps of each --extra folder in turn. Default: beside the images, or labelsTr.",
        show_default=False,
    ),
]
ExtraLabels: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--extra-label",
        metavar="NAME=NAME",
        help="What a label of --extra becomes: a label of --challenge, background or ignore; repeatable. "
        "Default: the label of the same name.",
        show_default=False,
    ),
]
Sample: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--sample",
        metavar="N|all",
        help="Cases that are drawn from an --extra folder: once for all folders, or for each in turn. "
        "Default: all.",
        show_default=False,
    ),
]
SampleSeed: TypeAlias = Annotated[int, typer.Option("--seed", min=0, help="Random seed of --sample.")]
TrainOnly: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--train-only/--in-folds",
        help="Cases of --extra train every fold and are never validated, or are divided into the folds like "
        "the others.",
    ),
]
Synthetic: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        min=0.0,
        max=1.0,
        help="Share of the training patches, from 0 to 1, that show phantoms: synthetic cases that are made "
        "while the training runs. 1 trains on nothing else. Default: the recipe's.",
        show_default=False,
    ),
]
Previous: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN",
        help="Run of a cascade's first stage, trained and validated: its maps out of fold train this one, a "
        "second stage. Default: none.",
        show_default=False,
    ),
]
Plans: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="plans.json of nnU-Net, with dataset.json beside it, or plan.yaml of another run, in place of "
        "the planner. Default: none.",
    ),
]
Configuration: TypeAlias = Annotated[
    str, typer.Option(help="With plans.json: its configuration, such as 3d_fullres or 3d_lowres.")
]
MemoryGb: TypeAlias = Annotated[
    float | None,
    typer.Option(
        min=0.1,
        help="Memory in GB that a step may take; to choose a smaller patch or network, set "
        "planning.memory_gb. Default: all that is free.",
        show_default=False,
    ),
]
LimitHours: TypeAlias = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        help="Time limit of a job in hours; only warns if the training takes longer. Default: none.",
        show_default=False,
    ),
]
FreshPlan: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--fresh",
        help="Replace the plan in the folder; trained folds stay, and with another plan or split they are "
        "refused until they are trained with --fresh.",
    ),
]
Go: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--go",
        help="Then prepare, train and validate all folds, and collect them into ./weights/NAME (NAME: the "
        "name of the run's folder).",
    ),
]
