"""The options of `segcube infer`: both spellings, and an environment variable each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from segcube.core import BackendName, Compile, OnError, Precision, Preset


def _option(name: str, text: str) -> Any:
    spellings = dict.fromkeys((f"--{name}", f"--{name.replace('_', '-')}"))
    return typer.Option(*spellings, envvar=f"SEGCUBE_{name.upper()}", help=text)


def _switch(name: str, text: str) -> Any:
    return typer.Option(f"--{name}/--no-{name}", envvar=f"SEGCUBE_{name.upper()}", help=text)


DataPath: TypeAlias = Annotated[Path, _option("data_path", "Folder of cases.")]
OutputPath: TypeAlias = Annotated[Path, _option("output_path", "Folder of label maps.")]
Weights: TypeAlias = Annotated[Path | None, _option("weights", "Folder of a submission.")]
ParametersFile: TypeAlias = Annotated[
    Path | None, _option("parameters_file", "YAML of settings; options override it.")
]
DefaultsFile: TypeAlias = Annotated[
    Path | None, _option("defaults_file", "YAML of settings that all others override; an image's own.")
]
ChallengeKey: TypeAlias = Annotated[
    str | None, _option("challenge", "auto, or a key that the submission serves.")
]
Device: TypeAlias = Annotated[str | None, _option("device", "auto, cpu, cuda or cuda:N.")]
BackendOf: TypeAlias = Annotated[BackendName | None, _option("backend", "Library that runs the networks.")]
PrecisionOf: TypeAlias = Annotated[
    Precision | None, _option("precision", "auto: fp16 on CUDA, fp32 on a CPU.")
]
CompileOf: TypeAlias = Annotated[
    Compile | None,
    _option("compile", "On CUDA, capture forwards: once that repays, from the start, or never."),
]
PresetOf: TypeAlias = Annotated[
    Preset | None,
    _option("preset", "full: the submission as it is; else sooner, at a price (see the README)."),
]
Flips: TypeAlias = Annotated[
    bool | None, _switch("flips", "Test-time mirrors, as the submission says; else as the preset says.")
]
Report: TypeAlias = Annotated[Path | None, _option("report", "JSON report, written after every case.")]
Resume: TypeAlias = Annotated[
    bool | None, _switch("resume", "Keep finished maps that this run would make again.")
]
Shard: TypeAlias = Annotated[str | None, _option("shard", "i/n: every n-th case from the i-th.")]
OnErrorOf: TypeAlias = Annotated[
    OnError | None, _option("on_error", "A bad case: no map, an empty map, or the end.")
]
SaveProbabilities: TypeAlias = Annotated[
    Path | None, _option("save_probabilities", "Folder for the last stage's probabilities.")
]
EachMember: TypeAlias = Annotated[
    bool, typer.Option("--each-member", help="With --save-probabilities: a file a member as well.")
]
Quiet: TypeAlias = Annotated[
    bool, typer.Option("--quiet", envvar="SEGCUBE_QUIET", help="Warnings and failures only.")
]
