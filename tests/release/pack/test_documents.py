from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from segcube.release.pack.documents import container_config, mlcube_config

MLCUBE = Path(__file__).parents[3] / "mlcube"


def test_the_checkouts_mlcube_yaml_is_what_pack_writes():
    content = yaml.safe_load((MLCUBE / "mlcube.yaml").read_text())
    assert content == mlcube_config("segcube:latest", weights=False, build=True)


def test_the_checkouts_container_config_is_what_pack_writes():
    content = yaml.safe_load((MLCUBE / "container_config.yaml").read_text())
    assert content == container_config("segcube:latest", weights=False)


@pytest.mark.parametrize("weights", [True, False])
def test_both_files_name_the_same_inputs_outputs_and_shared_memory(weights):
    old = mlcube_config("a/b:1", weights=weights)
    new = container_config("a/b:1", weights=weights)
    parameters, infer = old["tasks"]["infer"]["parameters"], new["tasks"]["infer"]
    renamed = {"weights": "additional_files"}
    assert [renamed.get(name, name) for name in parameters["inputs"]] == list(infer["input_volumes"])
    assert list(parameters["outputs"]) == list(infer["output_volumes"])
    for arguments in ("cpu_args", "gpu_args"):
        assert old["docker"][arguments] == f"--shm-size {infer['run_args']['shm_size']}"
    assert old["docker"]["image"] == new["image"] == "a/b:1"


def test_medperfs_command_names_the_paths_that_it_mounts():
    infer = container_config("a/b:1", weights=True)["tasks"]["infer"]
    mounted = [volume["mount_path"] for volume in (infer["input_volumes"] | infer["output_volumes"]).values()]
    assert sorted(infer["run_args"]["command"][2::2]) == sorted(mounted)
