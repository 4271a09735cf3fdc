"""`segcube infer` and its options; each also has a spelling with hyphens and an environment variable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from segcube.cli.process import prepare_for_torch, run_command
from segcube.core import BackendName, Compile, OnError, Precision, Preset


def _option(name: str, text: str) -> Any:
    spellings = dict.fromkeys((f"--{name}", f"--{name.replace('_', '-')}"))
    return typer.Option(*spellings, envvar=f"SEGCUBE_{name.upper()}", help=text)


def _switch(name: str, text: str) -> Any:
    return typer.Option(f"--{name}/--no-{name}", envvar=f"SEGCUBE_{name.upper()}", help=text)


DataPath: TypeAlias = Annotated[
    Path, _option("data_path", "Folder of cases, named as the challenge names them.")
]
OutputPath: TypeAlias = Annotated[Path, _option("output_path", "Folder to write the label maps to.")]
Weights: TypeAlias = Annotated[
    Path | None,
    _option(
        "weights",
        "Folder of a submission. Default: the one that the parameters file names, else the one in the image, "
        "else a starter of the same challenge.",
    ),
]
ParametersFile: TypeAlias = Annotated[
    Path | None,
    _option(
        "parameters_file",
        "YAML file of settings; environment variables and options override it. Default: none.",
    ),
]
DefaultsFile: TypeAlias = Annotated[
    Path | None,
    _option(
        "defaults_file",
        "YAML file of defaults, as in an image; all other settings override it. Default: none.",
    ),
]
ChallengeKey: TypeAlias = Annotated[
    str | None,
    _option(
        "challenge",
        "Key of a challenge that the submission serves, or auto for the submission's own. Default: auto.",
    ),
]
Device: TypeAlias = Annotated[
    str | None,
    _option("device", "auto, cpu, cuda or cuda:N. Default: auto, a GPU where one is visible, else the CPU."),
]
BackendOf: TypeAlias = Annotated[
    BackendName | None,
    _option(
        "backend",
        "Library that runs the networks. Default: auto, OpenVINO on a CPU, torch on CUDA.",
    ),
]
PrecisionOf: TypeAlias = Annotated[
    Precision | None,
    _option("precision", "Precision of the forward passes. Default: auto, fp16 on CUDA, fp32 on a CPU."),
]
Threads: TypeAlias = Annotated[
    int | None,
    _option(
        "threads",
        "Most CPU threads that compute. Default: the CPUs of the process's affinity, no more than its "
        "cgroup's quota.",
    ),
]
CompileOf: TypeAlias = Annotated[
    Compile | None,
    _option(
        "compile",
        "Capture forward passes as CUDA graphs: on from the first one, off never. Default: auto, as soon as "
        "the number of windows repays it.",
    ),
]
PresetOf: TypeAlias = Annotated[
    Preset | None,
    _option(
        "preset",
        "full runs the submission as it is; balanced leaves out mirroring; fast also runs one member of each "
        "branch, with less overlap. Both trade accuracy for speed. Default: full.",
    ),
]
Flips: TypeAlias = Annotated[
    bool | None,
    _switch(
        "flips",
        "Mirroring at test time, along the submission's axes. Default: on with the preset full, else off.",
    ),
]
Report: TypeAlias = Annotated[
    Path | None, _option("report", "JSON file for the report, updated after every case. Default: none.")
]
Resume: TypeAlias = Annotated[
    bool | None,
    _switch(
        "resume",
        "Keep label maps of an earlier run with the same submission, settings and inputs. Default: "
        "predict all cases again.",
    ),
]
Shard: TypeAlias = Annotated[
    str | None,
    _option("shard", "i/n: predict every n-th case, starting with the i-th. Default: 1/1, all cases."),
]
OnErrorOf: TypeAlias = Annotated[
    OnError | None,
    _option(
        "on_error",
        "What to do for a case that fails: skip writes no map, empty writes a map of background, stop ends "
        "the run. Default: skip.",
    ),
]
SaveProbabilities: TypeAlias = Annotated[
    Path | None,
    _option(
        "save_probabilities",
        "Folder for the probabilities of the last stage, as float32 in .npz files. Default: not saved.",
    ),
]
EachMember: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--each-member",
        help="With --save-probabilities: also save the probabilities of each member, as float16.",
    ),
]
Quiet: TypeAlias = Annotated[
    bool, typer.Option("--quiet", envvar="SEGCUBE_QUIET", help="Print only warnings and errors.")
]


def infer(
    data_path: DataPath,
    output_path: OutputPath,
    weights: Weights = None,
    parameters_file: ParametersFile = None,
    defaults_file: DefaultsFile = None,
    challenge: ChallengeKey = None,
    device: Device = None,
    backend: BackendOf = None,
    precision: PrecisionOf = None,
    threads: Threads = None,
    compile_: CompileOf = None,
    preset: PresetOf = None,
    flips: Flips = None,
    report: Report = None,
    resume: Resume = None,
    shard: Shard = None,
    on_error: OnErrorOf = None,
    save_probabilities: SaveProbabilities = None,
    each_member: EachMember = False,
    quiet: Quiet = False,
) -> None:
    """Predict a label map for each case of a folder.

    Each map has the grid and header of its case, and the file name and label values of the challenge. Maps of
    earlier runs are replaced; any other file in the place of a map ends the run before its first case.

    Exit code: 0 done, 2 usage, 3 some cases failed, 4 all cases failed or no case found, 5 weights, disk or
    device not usable.

    \b
    Example:
      segcube infer --data_path data --output_path maps --weights weights/NAME --report report.json
    """
    options = {"challenge": challenge, "device": device, "backend": backend, "precision": precision}
    options |= {"compile": compile_, "preset": preset, "flips": flips, "shard": shard, "on_error": on_error}
    options |= {"threads": threads}
    given = {key: value for key, value in {**options, "resume": resume}.items() if value is not None}

    def run() -> int:
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
        return run_folder(Request(data_path, output_path, weights, settings, report, save, quiet))

    run_command(run)
