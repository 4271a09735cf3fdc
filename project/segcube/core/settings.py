"""Run settings, merged from defaults, parameters.yaml and the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from segcube.core.documents import read_yaml
from segcube.core.errors import UsageError
from segcube.core.validation import FileName, StrictModel, explain_validation_error
from segcube.core.values import BackendName, Compile, OnError, Precision, Preset


class RunSettings(StrictModel):
    """All settings of a run that are not part of the submission; the report includes them."""

    submission: str | None = Field(
        default=None,
        pattern=r"^[^\x00]+$",
        max_length=4096,
        description="submission folder, absolute or relative to this file",
    )
    challenge: FileName = Field(
        default="auto", description="auto, or the key of a challenge that the submission serves"
    )
    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|cuda(:[0-9]{1,3})?)$", description="auto, cpu, cuda or cuda:N"
    )
    backend: BackendName = "auto"
    precision: Precision = "auto"
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="at most so many CPU threads; unset as many as CPUs that the process may use",
    )
    compile: Compile = Field(
        default="auto", description="CUDA graphs: auto as soon as they pay off, on from the start, or off"
    )
    preset: Preset = Field(
        default="full", description="full: the whole submission; balanced and fast trade accuracy for speed"
    )
    flips: bool | None = Field(
        default=None,
        description="test-time mirroring: true as in the submission, false none, unset as in the preset",
    )
    on_error: OnError = Field(
        default="skip", description="for a failed case: skip it, write an empty map, or stop"
    )
    resume: bool = Field(
        default=False, description="keep finished label maps of an earlier run with the same settings"
    )
    shard: str = Field(
        default="1/1",
        pattern=r"^[0-9]{1,9}/[0-9]{1,9}$",
        description="i/n: every n-th case, starting from the i-th",
    )

    @field_validator("compile", mode="before")
    @classmethod
    def _read_switch(cls, value: object) -> object:
        """Accept a bare on or off, which YAML reads as a boolean."""
        return ("off", "on")[value] if isinstance(value, bool) else value

    @property
    def mirroring(self) -> bool:
        """Whether to use the mirroring of the submission and the preset."""
        return self.flips is not False


def resolve_settings(values: dict[str, Any], *, source: Path | None = None) -> RunSettings:
    """Return settings from plain values, with defaults for the others.

    source: the file to name in errors. Raises UsageError with the key, its value and the valid ones.
    """
    try:
        return RunSettings.model_validate(values)
    except ValidationError as error:
        raise UsageError(explain_validation_error(error, RunSettings), file=source) from error


def parse_shard(shard: str) -> tuple[int, int]:
    """Return 'i/n' as (i, n), counted from 1. Raises UsageError unless 1 <= i <= n."""
    index, count = (int(part) for part in shard.split("/"))
    if not 1 <= index <= count:
        raise UsageError(f"--shard {shard}", expected="i/n with 1 <= i <= n, such as 2/8")
    return index, count


def load_settings(
    file: Path | None, overrides: dict[str, Any], *, defaults: Path | None = None
) -> RunSettings:
    """Return the settings of a parameters file, if any; `overrides` take precedence, `defaults` come last.

    A relative submission folder is relative to the file that names it. Raises UsageError for a file that is
    missing, not a mapping, or has an unknown key or invalid value.
    """
    settings = resolve_settings(_values_of(defaults) | _values_of(file) | overrides)
    parse_shard(settings.shard)
    return settings


def _values_of(file: Path | None) -> dict[str, Any]:
    content = read_yaml(file, UsageError, expected="a YAML file of settings") if file else None
    if file is None or content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"contains a {type(content).__name__}", file=file, expected="a mapping of settings")
    resolve_settings(content, source=file)
    if content.get("submission"):
        content["submission"] = str(file.parent / content["submission"])
    return content
