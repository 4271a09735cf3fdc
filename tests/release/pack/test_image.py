from __future__ import annotations

import re
from pathlib import Path

from segcube import __version__
from segcube.release.check.findings import FindingCode
from segcube.release.pack.image import SOURCES, check_image_name

DOCKERFILE = (Path(__file__).parents[3] / "Dockerfile").read_text()


def test_the_dockerfile_names_the_packages_version():
    assert re.findall(r"^ARG VERSION=(.*)$", DOCKERFILE, re.MULTILINE) == [__version__]


def test_both_builds_of_torch_define_what_the_labels_need():
    stages = re.findall(r"^FROM \S+ AS torch-(\w+)\nENV (.*)$", DOCKERFILE, re.MULTILINE)
    assert [name for name, _ in stages] == ["cuda", "cpu"]
    for _, environment in stages:
        assert re.findall(r"(\w+)=", environment) == [
            "TORCH_INDEX",
            "TORCH_CUDA",
            "TORCH_DRIVER",
            "TORCH_GPUS",
        ]


def test_the_build_context_has_all_files_that_the_dockerfile_copies():
    copied = {
        word
        for line in re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for word in line.split()
    }
    files = {word for word in copied if "/" not in word and "*" not in word}
    assert files <= set(SOURCES)
    assert "pyproject.toml" in files


def test_a_name_with_registry_or_team_is_valid():
    for image in ("docker.synapse.org/syn123/brats:1", "ghcr.io/spark/a-b:v2", "localhost:5000/team/a:1"):
        assert check_image_name(image) == []


def test_a_placeholder_or_a_name_without_a_team_is_an_error():
    for image in (
        "segcube:latest",
        "docker.io/your-team/brats:1",
        "REGISTRY/TEAM/NAME",
        "<image>",
        "",
        "-x/y:1",
    ):
        assert [finding.code for finding in check_image_name(image)] == [FindingCode.IMAGE_NAME], image
