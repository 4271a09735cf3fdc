"""The base of every part of a challenge file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A part of a challenge file: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)
