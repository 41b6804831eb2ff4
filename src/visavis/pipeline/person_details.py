"""What else is known of the people who are enrolled, and bringing it into a gallery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from visavis.errors import InputError
from visavis.gallery.consent import Consent
from visavis.gallery.person import require_usable
from visavis.types import Failure

if TYPE_CHECKING:
    from visavis.gallery.gallery import Gallery
    from visavis.gallery.person import Person

_REFUSED = ("gallery.person-id", "gallery.consent")


@dataclass(frozen=True, slots=True)
class PersonDetails:
    """What is written down of a person.

    Attributes:
        name: For people to read; None leaves it as it is.
        metadata: JSON; entries of other names that are there stay. None leaves all as it is.
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
        self._written: set[str] = set()

    def refusals(self, people: Iterable[str]) -> dict[str, Failure]:
        """Why samples of people may not be added: an id that no gallery takes, time or consent that ended."""
        found = ((person, self._looked_up(person)) for person in set(people))
        return {person: known for person, known in found if isinstance(known, Failure)}

    def write(self, people: Iterable[str]) -> dict[str, Failure]:
        """Write down what is known of people of whom samples are there, or are about to be.

        Call it in the transaction in which the samples are added: nobody can take back a consent in between.

        Returns:
            Those who may not be added to; nothing was written of them.
        """
        refused: dict[str, Failure] = {}
        for person in people:
            there = self._looked_up(person)
            if self._changes(person, there):
                with self._gallery.transaction():
                    there = self._looked_up(person)  # as nobody can change it any more
                    self._write(person, there)
            if isinstance(there, Failure):
                refused[person] = there
        return refused

    def _write(self, person: str, there: Person | Failure | None) -> None:
        changed = self._changes(person, there)
        if changed and there is None:
            self._gallery.add_person(person, **changed)
        elif changed:
            self._gallery.update_person(person, **changed)
        self._written.add(person)

    def _changes(self, person: str, there: Person | Failure | None) -> dict[str, Any]:
        """What is to be written of somebody, once unless the person went meanwhile."""
        if isinstance(there, Failure) or (there is not None and person in self._written):
            return {}
        details = self._details.get(person, PersonDetails())
        given: dict[str, Any] = {
            "name": details.name, "metadata": details.metadata, "consent": self._consent, "expires": self._expires,
        }  # fmt: skip
        given = {key: value for key, value in given.items() if value is not None}
        if there is None:
            return given
        if details.metadata is not None:
            given["metadata"] = {**there.metadata, **details.metadata}
        return {key: value for key, value in given.items() if _differs(key, value, getattr(there, key))}

    def _looked_up(self, person: str) -> Person | Failure | None:
        """Somebody who is there; why nothing may be added; None for somebody new."""
        try:
            there = self._gallery.person(person)
            require_usable(there)
        except InputError as error:
            if error.reason == "gallery.person":
                return None
            if error.reason in _REFUSED:
                return Failure.of(error)
            raise
        return there


def _differs(key: str, given: Any, there: Any) -> bool:
    """Whether something is to be written; a consent on the same basis stands with its own date."""
    if key == "consent":
        return there is None or bool(there.basis != given.basis)
    return bool(given != there)
