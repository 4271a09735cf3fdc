from __future__ import annotations

import re
from pathlib import Path

from segcube import __version__
from segcube.release.pack.build import SOURCES

DOCKERFILE = (Path(__file__).parents[3] / "Dockerfile").read_text()


def test_the_dockerfile_names_the_packages_version():
    assert re.findall(r"^ARG VERSION=(.*)$", DOCKERFILE, re.MULTILINE) == [__version__]


def test_both_builds_of_torch_say_what_the_labels_need():
    stages = re.findall(r"^FROM \S+ AS torch-(\w+)\nENV (.*)$", DOCKERFILE, re.MULTILINE)
    assert [name for name, _ in stages] == ["cuda", "cpu"]
    for _, environment in stages:
        assert re.findall(r"(\w+)=", environment) == [
            "TORCH_INDEX",
            "TORCH_CUDA",
            "TORCH_DRIVER",
            "TORCH_GPUS",
        ]


def test_a_packed_folder_has_what_the_dockerfile_copies():
    copied = {
        word
        for line in re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for word in line.split()
    }
    files = {word for word in copied if "/" not in word and "*" not in word}
    assert files <= set(SOURCES)
    assert "pyproject.toml" in files
