"""Words of the command line that say something about people of a gallery."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from visavis.errors import UsageError


def entries(words: Sequence[str], *, option: str) -> dict[str, Any]:
    """Entries of metadata: ``key=text``, or ``key:=JSON`` for what is not text.

    Args:
        words: What was given.
        option: Under which option, for errors.

    Raises:
        UsageError: A word that is neither.
    """
    found: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        name = key.removesuffix(":")
        if not equals or not name:
            raise UsageError(f"{option} is key=text, or key:=JSON for what is not text; got {word!r}")
        try:
            found[name] = json.loads(value) if key.endswith(":") else value
        except (ValueError, RecursionError):
            raise UsageError(f"{option} {name}:= takes JSON, for example {name}:=12; got {value[:80]!r}") from None
    return found


def moment(text: str, *, option: str) -> datetime:
    """A date or a time, as ISO 8601 writes it; UTC where it names no zone.

    Args:
        text: For example ``2030-12-31`` or ``2030-12-31T18:00+02:00``.
        option: Under which option it was given, for errors.

    Raises:
        UsageError: It is neither.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} is a date, for example 2030-12-31; got {text!r}") from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise UsageError(f"{option} is a date of the years 1 to 9999 in UTC; got {text!r}") from None
