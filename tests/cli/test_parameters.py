"""The settings file of the container, which documents what a host may set."""

import re

import pytest
import yaml

from segcube.core import RunSettings, load_settings
from segcube.spec.hosts import DEFAULT_PARAMETERS

TEXT = DEFAULT_PARAMETERS.read_text()
EXAMPLES = dict(re.findall(r"^# (\w+): (\S.*)$", TEXT, re.M))


@pytest.mark.parametrize("key", EXAMPLES)
def test_a_setting_that_is_commented_out_can_be_set(tmp_path, key):
    file = tmp_path / "parameters.yaml"
    file.write_text(f"{key}: {EXAMPLES[key]}\n")
    value = getattr(load_settings(file, {}), key)
    assert str(value).lower().endswith(EXAMPLES[key])


def test_only_on_error_differs_from_the_defaults():
    different = {key for key, value in yaml.safe_load(TEXT).items() if value != getattr(RunSettings(), key)}
    # YAML reads a bare `off` as false
    assert different == {"on_error"}


def test_every_setting_of_a_host_is_documented():
    assert set(RunSettings.model_fields) - {"resume", "shard"} == {*EXAMPLES, *yaml.safe_load(TEXT)}
