"""`segcube infer`; each option has an environment variable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from segcube.cli.base.options import challenge_option
from segcube.cli.base.process import prepare_for_torch
from segcube.core import BackendName, Compile, OnError, Precision, Preset

HELP = {
    "parameters_file": "YAML file of settings; environment variables and options override it. Default: none.",
    "defaults_file": "YAML file of defaults, as in an image; all other settings override it. Default: none.",
    "device": "auto, cpu, cuda or cuda:N. Default: auto, a GPU where one is visible, else the CPU.",
    "backend": "Library that runs the networks. Default: auto, OpenVINO on a CPU, torch on CUDA.",
    "precision": "Precision of the forward passes. Default: auto, fp16 on CUDA, fp32 on a CPU.",
    "threads": "Maximum number of CPU threads. Default: the CPUs of the process's affinity, no more than its "
    "cgroup's quota.",
    "compile": "Capture forward passes as CUDA graphs: on from the first one, off never. Default: auto, as "
    "soon as the number of windows repays it.",
    "preset": "full runs the submission as it is; balanced leaves out mirroring; fast also runs one member "
    "of each branch, with less overlap; balanced and fast trade accuracy for speed. Default: full.",
    "report": "JSON file for the report, written at the end; a .jsonl file beside it gets a line after each "
    "case. Default: none.",
    "shard": "i/n: predict every n-th case, starting with the i-th. Default: 1/1, all cases.",
    "on_error": "What to do for a case that fails: skip writes no map, empty writes a map of background, "
    "stop ends the run. Default: skip.",
    "save_probabilities": "Folder for the probabilities of the last stage, as float32 in .npz files. "
    "Default: not saved.",
    "data": "Folder of cases, named as the challenge names them.",
    "out": "Folder to write the label maps to.",
    "weights": "Folder of a submission. Default: the one that the parameters file names, else the one in the "
    "image, else a starter of the same challenge.",
    "challenge": "Key of a challenge that the submission serves, or auto for the submission's own. Default: "
    "auto.",
    "mirrors": "Mirroring at test time, along the submission's axes. Default: on with the preset full, else "
    "off.",
    "resume": "Keep label maps of an earlier run with the same submission, settings and inputs. Default: "
    "predict all cases again.",
}
FILES = ("parameters_file", "defaults_file", "report")


def _setting(name: str, *spellings: str, variables: str | list[str] = "") -> Any:
    """An option with its help and its environment variables."""
    names = spellings or (f"--{name.replace('_', '-')}",)
    metavar = "FILE" if name in FILES else None
    variables = variables or f"SEGCUBE_{name.upper()}"
    return typer.Option(*names, envvar=variables, metavar=metavar, help=HELP[name])


def infer(
    data: Annotated[Path, _setting("data", "-i", "--data", variables="SEGCUBE_DATA_PATH")],
    out: Annotated[Path, _setting("out", "-o", "--out", variables="SEGCUBE_OUTPUT_PATH")],
    weights: Annotated[Path | None, _setting("weights", "-w", "--weights")] = None,
    parameters_file: Annotated[Path | None, _setting("parameters_file")] = None,
    defaults_file: Annotated[Path | None, _setting("defaults_file")] = None,
    challenge: Annotated[str | None, challenge_option(HELP["challenge"], "SEGCUBE_CHALLENGE")] = None,
    device: Annotated[str | None, _setting("device")] = None,
    backend: Annotated[BackendName | None, _setting("backend")] = None,
    precision: Annotated[Precision | None, _setting("precision")] = None,
    threads: Annotated[int | None, _setting("threads")] = None,
    compile_: Annotated[Compile | None, _setting("compile")] = None,
    preset: Annotated[Preset | None, _setting("preset")] = None,
    mirrors: Annotated[
        bool | None,
        _setting("mirrors", "--mirrors/--no-mirrors", variables=["SEGCUBE_MIRRORS", "SEGCUBE_FLIPS"]),
    ] = None,
    report: Annotated[Path | None, _setting("report")] = None,
    resume: Annotated[bool | None, _setting("resume", "--resume/--no-resume")] = None,
    shard: Annotated[str | None, _setting("shard")] = None,
    on_error: Annotated[OnError | None, _setting("on_error")] = None,
    save_probabilities: Annotated[Path | None, _setting("save_probabilities")] = None,
    each_member: Annotated[
        bool,
        typer.Option(
            "--each-member",
            help="With --save-probabilities: also save the probabilities of each member, as float16.",
        ),
    ] = False,
) -> int:
    """Predict a label map for each case of a folder.

    Each map has the grid and header of its case, and the file name and label values of the challenge. Maps of
    earlier runs are replaced; any other file in the place of a map ends the run before its first case.

    Exit code: 0 done, 2 usage, 3 some cases failed, 4 all cases failed or no case found, 5 weights, disk or
    device not usable.

    \b
    Example:
      segcube infer -i data -o maps -w weights/NAME --report report.json
    """
    values = {"challenge": challenge, "device": device, "backend": backend, "precision": precision}
    values |= {"threads": threads, "compile": compile_, "preset": preset, "flips": mirrors, "shard": shard}
    values |= {"on_error": on_error, "resume": resume}
    given = {key: value for key, value in values.items() if value is not None}
    prepare_for_torch()
    from segcube.core import UsageError, load_settings
    from segcube.inference import SavedProbabilities
    from segcube.inference.folder import Request, run_folder

    if each_member and save_probabilities is None:
        raise UsageError(
            "--each-member without --save-probabilities", expected="--save-probabilities DIR with it"
        )
    settings = load_settings(parameters_file, given, defaults=defaults_file)
    save = SavedProbabilities(save_probabilities, each_member) if save_probabilities else None
    return run_folder(Request(data, out, weights, settings, report, save))
