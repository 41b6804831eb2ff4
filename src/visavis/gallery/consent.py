"""Consent: what a person agreed to, when, and whether it still stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from visavis.errors import UsageError


@dataclass(frozen=True, slots=True)
class Consent:
    """The basis on which a person's templates are kept.

    Attributes:
        basis: In words, for example ``signed form 12`` or ``employment contract``.
        given: When, with a time zone.
        withdrawn: When it was taken back, with a time zone; None while it stands.
    """

    basis: str
    given: datetime
    withdrawn: datetime | None = None

    def __post_init__(self) -> None:
        if not self.basis.strip() or len(self.basis) > 1000:
            raise UsageError(f"the basis of a consent is 1 to 1000 characters; got {len(self.basis)}")
        check_moment(self.given, "Consent.given")
        check_moment(self.withdrawn, "Consent.withdrawn")

    def to_dict(self) -> dict[str, Any]:
        """The fields as a JSON-ready dictionary."""
        withdrawn = None if self.withdrawn is None else self.withdrawn.isoformat()
        return {"basis": self.basis, "given": self.given.isoformat(), "withdrawn": withdrawn}


def check_moment(moment: datetime | None, name: str) -> None:
    """Refuse a moment that could be two: a time without a zone.

    Raises:
        UsageError: It has none.
    """
    if moment is not None and moment.utcoffset() is None:
        raise UsageError(f"{name} needs a time zone, as datetime.now(timezone.utc) has; got {moment!r}")
