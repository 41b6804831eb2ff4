"""Whether thresholds would be fitted on the people that figures are read off."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress

from visavis.errors import InputError, UnreadableError
from visavis.protocols.labelled import Labelled


def require_other_people(fitted: Labelled, reported: Labelled) -> None:
    """Refuse two collections that have people or pictures in common.

    People are the same by their ids where both are one data set, or where one of them is not known; pictures by their
    bytes. The same people under other names on other pictures cannot be told.

    Raises:
        InputError: ``protocol``: names one that is in both.
    """
    same_ids = None in (fitted.set_name, reported.set_name) or fitted.set_name == reported.set_name
    people = sorted(set(fitted.people) & set(reported.people)) if same_ids else []
    if people:
        raise _refused(f"{len(people)} people, such as {people[0]},")
    known = dict(_hashes(fitted))
    for digest, name in _hashes(reported):
        if digest in known:
            raise _refused(f"a picture, {known[digest]} and {name},")


def _hashes(labelled: Labelled) -> Iterator[tuple[bytes, str]]:
    """The sha256 of each picture that can be read, with its name."""
    for name in labelled.names:
        with suppress(UnreadableError):
            yield hashlib.sha256(labelled.store.read_bytes(name)).digest(), name


def _refused(what: str) -> InputError:
    return InputError(
        f"{what} would be fitted on and reported on: thresholds look better there than they are. Fit on other people, "
        "or rename folders where one name means two people",
        reason="protocol",
    )
