"""Limits: how much one picture may cost."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache

from visavis.errors import UsageError

ENVIRONMENT = "VISAVIS_MAX_PIXELS"
_PIXELS = 100_000_000


def _max_pixels() -> int:
    return _parsed(os.environ.get(ENVIRONMENT))


def _parsed(text: str | None) -> int:
    if not text:
        return _PIXELS
    try:
        return int(text.replace("_", ""))
    except ValueError:
        raise UsageError(f"{ENVIRONMENT} must be a whole number of pixels, such as 200000000; got {text!r}") from None


@dataclass(frozen=True, slots=True)
class Limits:
    """What one picture may cost before it is refused unread.

    Attributes:
        max_bytes: Size of the encoded picture in bytes.
        max_pixels: Width times height of the stored picture. The default is 100 million, or the
            environment variable ``VISAVIS_MAX_PIXELS``.
        max_seconds: Decoding time in seconds. Decoders cannot be interrupted, so the work is estimated
            from the headers (scans, strips, run lengths) and a picture that would need more is refused.

    Raises:
        UsageError: A limit below 1, or an environment variable that is not a number.
    """

    max_bytes: int = 256 * 1024 * 1024
    max_pixels: int = field(default_factory=_max_pixels)
    max_seconds: float = 10.0

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_pixels", "max_seconds"):
            if not getattr(self, name) > 0:
                raise UsageError(f"Limits.{name} must be above 0; got {getattr(self, name)}")


def default_limits() -> Limits:
    """The limits that hold when a call names none; follows the environment variable."""
    return _cached(os.environ.get(ENVIRONMENT))


@lru_cache(maxsize=4)
def _cached(text: str | None) -> Limits:
    return Limits(max_pixels=_parsed(text))
