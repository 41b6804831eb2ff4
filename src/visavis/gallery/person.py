"""Person: somebody in a gallery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from visavis.errors import InputError
from visavis.gallery.consent import Consent


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a gallery.

    Attributes:
        key: Number that the gallery gave; it is never used for anybody else.
        person: Id that the user chose, for example the name of a folder.
        name: For people to read; None where none was given.
        metadata: What else is known, as JSON.
        consent: On what basis the templates are kept; None where nothing was written down.
        expires: Moment from which the person is not to be found any more; None for never.
        created: When the person was added.
        samples: Number of samples.
    """

    key: int
    person: str
    name: str | None
    metadata: Mapping[str, Any] = field(hash=False)
    consent: Consent | None
    expires: datetime | None
    created: datetime
    samples: int

    def usable(self, now: datetime | None = None) -> bool:
        """Whether the person may be found: not expired, and consent not withdrawn.

        Args:
            now: With a time zone; this moment when None.
        """
        withdrawn = None if self.consent is None else self.consent.withdrawn
        return may_be_found(withdrawn, self.expires, now=datetime.now(UTC) if now is None else now)

    def to_dict(self) -> dict[str, Any]:
        """The fields as a JSON-ready dictionary, with ``usable`` at this moment."""
        return {
            "person": self.person,
            "key": self.key,
            "name": self.name,
            "metadata": dict(self.metadata),
            "consent": None if self.consent is None else self.consent.to_dict(),
            "expires": None if self.expires is None else self.expires.isoformat(),
            "created": self.created.isoformat(),
            "samples": self.samples,
            "usable": self.usable(),
        }


def require_usable(person: Person, now: datetime | None = None) -> None:
    """Refuse samples for, or of, somebody who may not be found.

    Raises:
        InputError: ``gallery.consent``.
    """
    if not person.usable(now):
        withdrawn = person.consent is not None and person.consent.withdrawn is not None
        ended = "consent was withdrawn" if withdrawn else "the time to keep it is over"
        raise InputError(
            f"{person.person!r} is in the gallery and may not be added to or moved, as {ended}; renew it with visavis "
            "gallery update, or erase it with visavis gallery purge",
            reason="gallery.consent",
        )


def may_be_found(withdrawn: datetime | None, expires: datetime | None, *, now: datetime) -> bool:
    """Whether somebody may be found who withdrew consent, or expires, at these moments; None for never."""
    return withdrawn is None and (expires is None or expires > now)
