"""`segcube infer`."""

from __future__ import annotations

from segcube.cli import options
from segcube.cli.leave import leave_with, prepare_process


def infer(
    data_path: options.DataPath,
    output_path: options.OutputPath,
    weights: options.Weights = None,
    parameters_file: options.ParametersFile = None,
    defaults_file: options.DefaultsFile = None,
    challenge: options.ChallengeKey = None,
    device: options.Device = None,
    backend: options.BackendOf = None,
    precision: options.PrecisionOf = None,
    compile_: options.CompileOf = None,
    preset: options.PresetOf = None,
    flips: options.Flips = None,
    report: options.Report = None,
    resume: options.Resume = None,
    shard: options.Shard = None,
    on_error: options.OnErrorOf = None,
    save_probabilities: options.SaveProbabilities = None,
    each_member: options.EachMember = False,
    quiet: options.Quiet = False,
) -> None:
    """Predict a folder of cases.

    The label maps keep each case's grid and header, and the challenge's names and label values.
    """
    given = {"challenge": challenge, "device": device, "backend": backend, "precision": precision}
    given |= {"compile": compile_, "preset": preset, "flips": flips, "shard": shard, "on_error": on_error}
    named = {key: value for key, value in {**given, "resume": resume}.items() if value is not None}

    def run() -> int:
        prepare_process()
        from segcube.core import UsageError, settings_of
        from segcube.inference import SavedProbabilities
        from segcube.inference.folder import Request, run_folder

        if each_member and save_probabilities is None:
            raise UsageError("--each-member alone", expected="--save-probabilities DIR with it")
        settings = settings_of(parameters_file, named, defaults=defaults_file)
        save = SavedProbabilities(save_probabilities, each_member) if save_probabilities else None
        return run_folder(Request(data_path, output_path, weights, settings, report, save, quiet))

    leave_with(run)
