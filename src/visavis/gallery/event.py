"""Events and corrections: what was done to a gallery, by whom, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One change of a gallery.

    Attributes:
        event: Number, increasing in the order of the changes.
        when: When.
        who: Name of the user, as the system or the caller of `Gallery.open` gave it.
        what: ``created``, ``added``, ``updated``, ``removed``, ``moved``, ``merged``, ``purged``, ``migrated``,
            ``upgraded``, ``imported``.
        detail: Ids and numbers; no name, metadata or path of anybody.
    """

    event: int
    when: datetime
    who: str
    what: str
    detail: Mapping[str, Any] = field(hash=False)

    def to_dict(self) -> dict[str, Any]:
        """The fields as a JSON-ready dictionary."""
        return {**asdict(self), "when": self.when.isoformat()}


@dataclass(frozen=True, slots=True)
class Correction:
    """A statement about who somebody is that was taken back.

    Attributes:
        correction: Number, increasing.
        when: When.
        who: Name of the user.
        what: ``remove-person``, ``remove-sample``, ``move-sample`` or ``merge-people``.
        sample: Number of the sample; None where it is about people.
        source: Id of the person before.
        target: Id of the person after; None where it was removed.
        reason: In the user's words.
    """

    correction: int
    when: datetime
    who: str
    what: str
    sample: int | None
    source: str
    target: str | None
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The fields as a JSON-ready dictionary."""
        return {**asdict(self), "when": self.when.isoformat()}
