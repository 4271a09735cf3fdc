from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from segcube.release.pack import Publication
from segcube.release.pack.documents import container_config, mlcube_config, orchestrator_entry
from segcube.spec.challenges import load_challenge

MLCUBE = Path(__file__).parents[3] / "mlcube"


def test_the_checkouts_mlcube_yaml_is_what_pack_writes_with_a_build_and_without_weights():
    expected = mlcube_config("segcube:latest")
    expected["docker"] |= {"build_context": "..", "build_file": "Dockerfile", "build_strategy": "auto"}
    del expected["tasks"]["infer"]["parameters"]["inputs"]["weights"]
    assert yaml.safe_load((MLCUBE / "mlcube.yaml").read_text()) == expected


def test_the_checkouts_container_config_is_what_pack_writes_without_weights():
    expected = container_config("segcube:latest")
    infer = expected["tasks"]["infer"]
    del infer["input_volumes"]["additional_files"]
    command = infer["run_args"]["command"]
    del command[command.index("--weights") : command.index("--weights") + 2]
    assert yaml.safe_load((MLCUBE / "container_config.yaml").read_text()) == expected


def test_both_files_name_the_same_inputs_outputs_and_shared_memory():
    old, new = mlcube_config("a/b:1"), container_config("a/b:1")
    parameters, infer = old["tasks"]["infer"]["parameters"], new["tasks"]["infer"]
    renamed = {"weights": "additional_files"}
    assert [renamed.get(name, name) for name in parameters["inputs"]] == list(infer["input_volumes"])
    assert list(parameters["outputs"]) == list(infer["output_volumes"])
    for arguments in ("cpu_args", "gpu_args"):
        assert old["docker"][arguments] == f"--shm-size {infer['run_args']['shm_size']}"
    assert old["docker"]["image"] == new["image"] == "a/b:1"


def test_medperfs_command_names_the_paths_that_it_mounts():
    infer = container_config("a/b:1")["tasks"]["infer"]
    mounted = [volume["mount_path"] for volume in (infer["input_volumes"] | infer["output_volumes"]).values()]
    assert sorted(infer["run_args"]["command"][2::2]) == sorted(mounted)


@pytest.mark.parametrize(
    ("key", "schema", "separator", "year"),
    [
        ("brats2024-ssa", "BraTS-SSA-{id:05d}-000", "-", 2024),
        ("brats2024-men-rt", "BraTS-MEN-RT-{id:04d}-1", "_", 2024),
    ],
)
def test_the_orchestrators_entry_has_the_challenges_names(key, schema, separator, year):
    entry = orchestrator_entry("a/b:1", load_challenge(key), Publication())
    assert entry["run_args"]["input_name_schema"] == schema
    assert entry["run_args"]["subject_modality_separator"] == separator
    assert entry["meta"]["year"] == year


def test_the_orchestrators_names_are_cases_of_the_challenge():
    challenge = load_challenge("brats2024-men-rt")
    schema = orchestrator_entry("a/b:1", challenge, Publication())["run_args"]["input_name_schema"]
    assert challenge.is_case(schema.format(id=0))


def test_weights_outside_the_image_have_a_zenodo_record():
    challenge = load_challenge("brats2024-ssa")
    assert orchestrator_entry("a/b:1", challenge, Publication())["additional_files"] is None
    entry = orchestrator_entry("a/b:1", challenge, Publication(zenodo="123"))
    assert entry["additional_files"] == {"record_id": "123", "param_name": ["weights"]}
