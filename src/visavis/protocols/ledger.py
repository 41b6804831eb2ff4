"""The people ledger: which person may be used for what.

``people.csv`` beside this file gives every identity of every data set one role: test, calibrate,
develop, train, quick or evidence. No figure may be read off people that something was fitted on.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from visavis.errors import InputError, UnreadableError, UsageError

ROLES = ("test", "calibrate", "develop", "train", "quick", "evidence")
UNLISTED = "unlisted"
_ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")


@dataclass(frozen=True, slots=True)
class RolesTouched:
    """The roles of the people a run used; goes into its result.

    Attributes:
        set_name: The data set, or None where it is not known.
        roles: Number of people a role; ``unlisted`` for people the ledger does not know.
        ledger: sha256 of the ledger, hexadecimal.
    """

    set_name: str | None
    roles: Mapping[str, int]
    ledger: str

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return {"set": self.set_name, "roles": dict(self.roles), "ledger": self.ledger}


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """The role of every listed person.

    Attributes:
        entries: Role of each (set, person).
        hash: sha256 of the file, hexadecimal.
    """

    entries: Mapping[tuple[str, str], str]
    hash: str

    @classmethod
    def load(cls, path: str | Path | None = None) -> Ledger:
        """Read a ledger, ``set,identity,role`` in UTF-8; the one of visavis when no path is given.

        Raises:
            UnreadableError: The file is missing or not UTF-8.
            InputError: A line does not fit, names an unknown role or a person a second time.
        """
        source = resources.files("visavis.protocols").joinpath("people.csv") if path is None else Path(path)
        try:
            data = source.read_bytes()
            text = data.decode("utf-8-sig")
        except OSError as error:
            raise UnreadableError(f"cannot read the people ledger {source}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise UnreadableError(f"the people ledger {source} is not UTF-8 text (byte {error.start})") from error
        return cls(MappingProxyType(_entries(str(source), text)), hashlib.sha256(data).hexdigest())

    @property
    def sets(self) -> tuple[str, ...]:
        """The names of the data sets, sorted."""
        return tuple(sorted({name for name, _ in self.entries}))

    def role(self, set_name: str, person: str) -> str | None:
        """The role of one person, or None for one the ledger does not know."""
        return self.entries.get((set_name, person))

    def roles(self, set_name: str | None, people: Iterable[str]) -> dict[str, int]:
        """How many distinct people have each role; ``unlisted`` counts those the ledger does not know."""
        counts = Counter(self.role(set_name or "", person) or UNLISTED for person in set(people))
        return {role: counts[role] for role in (*ROLES, UNLISTED) if counts[role]}

    def touched(self, set_name: str | None, people: Iterable[str]) -> RolesTouched:
        """The record of the roles that a run on these people touched."""
        return RolesTouched(set_name, MappingProxyType(self.roles(set_name, people)), self.hash)

    def guess_set(self, paths: str | Path | Iterable[str | Path]) -> str | None:
        """The data set that an archive, a folder or paths inside belong to, by their names.

        Of each path the last part that names a set counts, archive endings left off and letters in
        lower case: ``/data/lfw.tar`` and ``lfw/Name/Name_0001.jpg`` are ``lfw``. A longer name counts
        when the set is followed by ``-`` or ``_`` (``lfw-funneled``). None when no part, or two paths
        differently, name a set.
        """
        several = [paths] if isinstance(paths, str | Path) else list(paths)
        found = {self._set_of(str(path)) for path in several}
        return found.pop() if len(found) == 1 else None

    def _set_of(self, path: str) -> str | None:
        for part in reversed(PurePosixPath(path.replace("\\", "/")).parts):
            name = part.lower()
            name = next((name.removesuffix(ending) for ending in _ARCHIVES if name.endswith(ending)), name)
            fitting = [known for known in self.sets if name == known or name.startswith((f"{known}-", f"{known}_"))]
            if fitting:
                return max(fitting, key=len)
        return None


def require_disjoint(fit_people: Iterable[Hashable], report_people: Iterable[Hashable]) -> None:
    """Refuse a run that fits and reports on one person.

    Args:
        fit_people: People that anything is fitted, tuned or chosen on; ``(set, person)`` where sets mix.
        report_people: People the figures are read off, named alike.

    Raises:
        UsageError: Somebody is in both.
    """
    shared = set(fit_people) & set(report_people)
    if shared:
        shown = ", ".join(sorted(str(person) for person in shared)[:5])
        raise UsageError(
            f"{len(shared)} people are fitted on and reported on ({shown}{', ...' if len(shared) > 5 else ''}); "
            "a figure must come from other people: remove them from one side"
        )


def _entries(source: str, text: str) -> dict[tuple[str, str], str]:
    rows = csv.reader(io.StringIO(text, newline=""))
    if next(rows, None) != ["set", "identity", "role"]:
        raise InputError(f"{source}, line 1: a people ledger has the header set,identity,role", reason="ledger")
    entries: dict[tuple[str, str], str] = {}
    for row in rows:
        if len(row) != 3 or row[2] not in ROLES:
            raise InputError(
                f"{source}, line {rows.line_num}: expected set,identity,role with a role of {', '.join(ROLES)}; "
                f"got {','.join(row)}",
                reason="ledger",
            )
        if (row[0], row[1]) in entries:
            raise InputError(
                f"{source}, line {rows.line_num}: {row[1]} of {row[0]} is listed twice; a person has one role",
                reason="ledger",
            )
        entries[row[0], row[1]] = row[2]
    return entries
