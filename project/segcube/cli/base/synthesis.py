"""The options of `segcube synthesize`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

MODEL_HELP = "Folder of a model, which `segcube synthesize train` wrote."
ModelOut: TypeAlias = Annotated[Path, typer.Option("-o", "--out", help="Folder of the model.")]
Fold: TypeAlias = Annotated[
    str,
    typer.Option(
        help="The fold whose training cases are used. 'all' takes every case; its samples can "
        "train no fold that is validated, only `segcube train --fold all`."
    ),
]
RecipeName: TypeAlias = Annotated[
    str, typer.Option(help="flow, med-ddpm or toy, or a YAML file (docs/synthesis.md).")
]
Values: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A value of the recipe, such as optimizer.learning_rate=0.0001 or spacing=[1,1,1]; "
        "repeatable. Default: none.",
    ),
]
BaseModel: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--init",
        metavar="MODEL",
        help="Start from the weights of another generative model. Default: random weights.",
    ),
]
Layers: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--lora",
        metavar="PATTERN",
        help="With --init: train low-rank adapters of the layers whose names match, such as "
        "'up_blocks.*', in place of all weights; repeatable. Default: none.",
    ),
]
Rank: TypeAlias = Annotated[int, typer.Option(min=1, max=1024, help="With --lora: rank of the adapters.")]
Fresh: TypeAlias = Annotated[
    bool, typer.Option("--fresh", help="Remove an earlier training, start at step 0.")
]
Model: TypeAlias = Annotated[Path, typer.Argument(metavar="MODEL", help=MODEL_HELP)]
SamplesOut: TypeAlias = Annotated[
    Path, typer.Option("-o", "--out", help="Folder to write data/ and labels/ to.")
]
Count: TypeAlias = Annotated[int, typer.Option(metavar="N", min=1, help="Number of samples.")]
Masks: TypeAlias = Annotated[
    Literal["deformed", "cases", "phantoms"],
    typer.Option(
        help="Label maps to make images for: those of the training cases, deformed or as they are, or "
        "those of phantoms."
    ),
]
Seed: TypeAlias = Annotated[
    int, typer.Option(min=0, help="Random seed; the same seed writes the same samples.")
]
First: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Number in the name of the first sample. Default: one after those of the run's cases.",
        show_default=False,
    ),
]
Passes: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1, max=10_000, help="Sampling steps of a case. Default: the recipe's.", show_default=False
    ),
]
Samples: TypeAlias = Annotated[
    Path, typer.Argument(metavar="DIR", help="Folder that `segcube synthesize sample` wrote.")
]
ModelOption: TypeAlias = Annotated[Path, typer.Option(help=MODEL_HELP)]
ValidatedRuns: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        help="A validated run whose Dice is reported too, such as one without samples, one of samples "
        "alone and one of both; repeatable. Default: none."
    ),
]
ReportFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="JSON file for the report. Default: none.", show_default=False),
]
