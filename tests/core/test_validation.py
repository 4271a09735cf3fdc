from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from segcube.core import explain_validation_error


class Text(BaseModel, extra="forbid"):
    names: tuple[str, ...] | None = None


def message_of(**content: object) -> str:
    with pytest.raises(ValidationError) as caught:
        Text.model_validate(content)
    return explain_validation_error(caught.value, Text)


def test_long_keys_and_values_are_cut():
    assert message_of(**{"k" * 100: 1}) == f"unknown key {'k' * 80!r}; valid keys: names"
    assert message_of(names=["a", {"b": "c" * 100}]).startswith(
        f"'names.1' is {str({'b': 'c' * 100})[:80]}: "
    )
