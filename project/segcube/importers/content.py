"""Content of other people's files that is not as their framework writes it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from segcube.errors import EnvironmentFault


@contextmanager
def content_of(source: Path, framework: str) -> Generator[None, None, None]:
    """Report content that is not as a framework writes it as a fault of its source.

    Raises EnvironmentFault for entries that are missing, or of another type, where they are used.
    """
    try:
        yield
    except ValidationError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise EnvironmentFault(
            f"an entry is missing or of another type: {type(error).__name__} {error}",
            file=source,
            expected=f"content as in {framework}",
        ) from error
