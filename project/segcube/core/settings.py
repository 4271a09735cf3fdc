"""Run settings, resolved from defaults, parameters.yaml, the environment and the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import Field, ValidationError, field_validator

from segcube.core.documents import read_yaml
from segcube.core.errors import UsageError
from segcube.core.validation import FileName, Model, explain

BackendName: TypeAlias = Literal["auto", "torch", "openvino"]
Precision: TypeAlias = Literal["auto", "fp32", "fp16", "bf16"]
Preset: TypeAlias = Literal["fast", "balanced", "full"]
Compile: TypeAlias = Literal["auto", "on", "off"]
OnError: TypeAlias = Literal["skip", "empty", "stop"]
Checkpoint: TypeAlias = Literal["final", "best"]


class RunSettings(Model):
    """Everything about a run that is not in the submission; the report repeats it whole."""

    submission: str | None = Field(
        default=None,
        pattern=r"^[^\x00]+$",
        max_length=4096,
        description="folder of the submission, absolute or beside this file",
    )
    challenge: FileName = Field(
        default="auto", description="auto, or a key among those that the submission serves"
    )
    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|cuda(:[0-9]{1,3})?)$", description="auto, cpu, cuda or cuda:N"
    )
    backend: BackendName = "auto"
    precision: Precision = "auto"
    compile: Compile = Field(
        default="auto", description="CUDA: capture forwards once that repays, from the start, or never"
    )
    preset: Preset = Field(
        default="full", description="full is the submission as it is; balanced and fast leave parts of it out"
    )
    flips: bool | None = Field(
        default=None,
        description="test-time mirrors: true as the submission says, false none; else the preset decides",
    )
    on_error: OnError = Field(default="skip", description="what a bad case costs: skip, empty or stop")
    resume: bool = Field(default=False, description="keep finished maps that this run would make again")
    shard: str = Field(
        default="1/1", pattern=r"^[0-9]{1,9}/[0-9]{1,9}$", description="i/n: every n-th case from the i-th"
    )

    @field_validator("compile", mode="before")
    @classmethod
    def _read_switch(cls, value: object) -> object:
        """A bare on or off, which YAML reads as a truth."""
        return ("off", "on")[value] if isinstance(value, bool) else value

    @property
    def mirrors(self) -> bool:
        """Whether the mirrors that the submission and the preset leave are taken."""
        return self.flips is not False


def read_parameters(file: Path) -> dict[str, Any]:
    """Read parameters.yaml; an empty file gives no settings.

    Raises UsageError when the file is missing, is no mapping or holds an unknown key or value.
    """
    content = read_yaml(file, UsageError, expected="a YAML file of settings")
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"holds a {type(content).__name__}", file=file, expected="a mapping of settings")
    resolve_settings(content, source=file)
    return content


def resolve_settings(values: dict[str, Any], *, source: Path | None = None) -> RunSettings:
    """Settings from plain values, defaults filled in.

    Raises UsageError that names the key, the value and the valid ones.
    """
    try:
        return RunSettings.model_validate(values)
    except ValidationError as error:
        raise UsageError(explain(error, RunSettings), file=source) from error


def parse_shard(shard: str) -> tuple[int, int]:
    """'i/n' as (i, n), counted from 1.

    Raises UsageError unless 1 <= i <= n.
    """
    index, count = (int(part) for part in shard.split("/"))
    if not 1 <= index <= count:
        raise UsageError(f"--shard {shard}", expected="i/n with 1 <= i <= n, such as 2/8")
    return index, count


def settings_of(file: Path | None, overrides: dict[str, Any], *, defaults: Path | None = None) -> RunSettings:
    """Settings of a parameters file, if any, with the command line's over them and `defaults` below.

    A submission named in a file lies beside it. Raises UsageError.
    """
    settings = resolve_settings(_values_of(defaults) | _values_of(file) | overrides)
    parse_shard(settings.shard)
    return settings


def _values_of(file: Path | None) -> dict[str, Any]:
    values = read_parameters(file) if file else {}
    if file and values.get("submission"):
        values["submission"] = str(file.parent / values["submission"])
    return values
