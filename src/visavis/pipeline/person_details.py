"""What else is known of the people who are enrolled, and bringing it into a gallery."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from visavis.errors import InputError
from visavis.gallery.accepted import check_id
from visavis.gallery.consent import Consent
from visavis.types import Failure

if TYPE_CHECKING:
    from visavis.gallery.gallery import Gallery
    from visavis.gallery.person import Person


@dataclass(frozen=True, slots=True)
class PersonDetails:
    """What is written down of a person.

    Attributes:
        name: For people to read; None leaves it as it is.
        metadata: JSON; None leaves it as it is.
    """

    name: str | None = None
    metadata: Mapping[str, Any] | None = field(default=None, hash=False)


class PeopleWriter:
    """Brings people into a gallery before their samples, each once; safe to share between threads.

    Args:
        gallery: Where they go.
        details: Name and metadata by id.
        basis: Basis of the consent of everybody who is enrolled, see `Consent`; None writes none down. Somebody who has
            given consent on the same basis before keeps that.
        expires: From when nobody of them is to be found any more, with a time zone; None leaves it as it is.
    """

    def __init__(
        self,
        gallery: Gallery,
        *,
        details: Mapping[str, PersonDetails] | None = None,
        basis: str | None = None,
        expires: datetime | None = None,
    ) -> None:
        self._gallery = gallery
        self._details = details or {}
        self._consent = None if basis is None else Consent(basis, datetime.now(UTC))
        self._expires = expires
        self._lock = threading.Lock()
        self._known: dict[str, Person | Failure | None] = {}
        self._written: set[str] = set()

    def refusal(self, person: str) -> Failure | None:
        """Why samples of a person may not be added: an id that no gallery takes, time or consent that ended."""
        with self._lock:
            known = self._looked_up(person)
        return known if isinstance(known, Failure) else None

    def write(self, person: str) -> None:
        """Write down what is known of somebody of whom a sample is there, or is about to be."""
        details = self._details.get(person, PersonDetails())
        given: dict[str, Any] = {
            "name": details.name, "metadata": details.metadata, "consent": self._consent, "expires": self._expires,
        }  # fmt: skip
        given = {key: value for key, value in given.items() if value is not None}
        with self._lock:
            if not given or person in self._written:
                return
            known = self._looked_up(person)
            there = known if not isinstance(known, Failure) and known else self._gallery.add_person(person, **given)
            changed = {key: value for key, value in given.items() if _differs(key, value, getattr(there, key))}
            if changed:
                self._gallery.update_person(person, **changed)
            self._written.add(person)

    def _looked_up(self, person: str) -> Person | Failure | None:
        if person not in self._known:
            self._known[person] = _look_up(self._gallery, person)
        return self._known[person]


def _look_up(gallery: Gallery, person: str) -> Person | Failure | None:
    """Somebody who is there; why nothing may be added; None for somebody new."""
    try:
        check_id(person)
    except InputError as error:
        return Failure.of(error)
    found = _found(gallery, person)
    if found is None or found.usable():
        return found
    ended = "consent was withdrawn" if found.consent and found.consent.withdrawn else "the time to keep it is over"
    return Failure(
        "gallery.consent",
        f"{person!r} is in the gallery and may not be added to, as {ended}; renew it with visavis gallery update, or "
        "erase it with visavis gallery purge and enrol anew",
    )


def _found(gallery: Gallery, person: str) -> Person | None:
    try:
        return gallery.person(person)
    except InputError as error:
        if error.reason != "gallery.person":
            raise
        return None


def _differs(key: str, given: Any, there: Any) -> bool:
    """Whether something is to be written; a consent on the same basis stands with its own date."""
    if key == "consent":
        return there is None or bool(there.basis != given.basis)
    return bool(given != there)
