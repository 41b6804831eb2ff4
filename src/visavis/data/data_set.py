"""Which data set of the people ledger a collection is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from visavis.errors import UsageError
from visavis.protocols.ledger import Ledger

NO_SET = "none"
"""Given in place of a data set: the people are of none that the ledger knows, though names may coincide."""
SetBy = Literal["given", "path", "people"]
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class DataSet:
    """The data set of some people.

    Attributes:
        name: By the ledger's name; None when it is not known, or none.
        by: How it is known: ``given`` by the user, by the ``path``, or by the names of the ``people``; None when it is
            not known.
    """

    name: str | None
    by: SetBy | None


def data_set_of(
    people: Iterable[str], *, path: str, inside: str = "", given: str | None = None, ledger: Ledger
) -> DataSet:
    """The data set that people belong to, so that the ledger can tell their roles.

    A path names it (`Ledger.guess_set`), unless `set_of_people` finds another that knows more of the people: so a
    folder that was renamed hides nobody.

    Args:
        people: Their names.
        path: Where the collection is.
        inside: Name of a picture in it.
        given: The set that the user says, or `NO_SET`; None to find it.
        ledger: The people ledger.

    Raises:
        UsageError: No such set; one that knows none of the people, or fewer than another set; or people of two sets.
    """
    if given == NO_SET:
        return DataSet(None, "given")
    if given is not None and given not in ledger.sets:
        raise UsageError(
            f"the ledger knows the sets {', '.join(ledger.sets)}; {NO_SET} is for people of none of them; got {given}"
        )
    everybody = set(people)
    counts = _known(everybody, ledger)
    if given is not None:
        best = max(counts, key=lambda name: (counts[name], name == given))
        if best != given or not counts[given]:
            others = f", set {best} knows {counts[best]}; give --set {best}" if counts[best] else "; leave --set out"
            raise UsageError(
                f"set {given} of the ledger knows {counts[given]} of the {len(everybody)} people of {path}{others}, or "
                f"give --set {NO_SET} for people of no set of the ledger"
            )
        return DataSet(given, "given")
    named = ledger.guess_set(path) or ledger.guess_set([inside])
    told = set_of_people(everybody, ledger=ledger)
    if told is not None and told != named and (named is None or counts[told] > counts[named]):
        return DataSet(told, "people")
    return DataSet(named, "path" if named else None)


def set_of_people(people: Iterable[str], *, ledger: Ledger) -> str | None:
    """The set of the ledger that knows at least three of the people and at least half; None when there is none.

    Args:
        people: Their names.
        ledger: The people ledger.

    Raises:
        UsageError: Two sets know so many.
    """
    everybody = set(people)
    counts = _known(everybody, ledger)
    found = [name for name, count in counts.items() if count >= max(_FEWEST, len(everybody) / 2)]
    if len(found) > 1:
        raise UsageError(
            f"the people are of the sets {' and '.join(found)} of the ledger; use each set by itself, or give --set "
            f"{NO_SET} for people of no set of the ledger"
        )
    return found[0] if found else None


def _known(people: set[str], ledger: Ledger) -> Counter[str]:
    """How many of the people each set knows; every set is in it."""
    counts = Counter(dict.fromkeys(ledger.sets, 0))
    for name, person in ledger.entries:
        counts[name] += person in people
    return counts
