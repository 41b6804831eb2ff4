"""One template out of a file, by name."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

from visavis.errors import NoFaceError, UsageError
from visavis.io._unreadable import printable
from visavis.recognition.compact_file import SUFFIX, read_compact
from visavis.types import Templates

_MARK = re.compile(re.escape(SUFFIX) + "::", re.IGNORECASE)
"""What stands between a file of templates and a name in it."""

_NUMBERED = re.compile(r"(.+)#([0-9]{1,9})", re.DOTALL)


def is_stored(word: str) -> bool:
    """Whether a word names a template in a file, ``store.vvt::NAME``."""
    return _MARK.search(word) is not None


def stored_template(word: str) -> Templates:
    """The template of a name, one row.

    Rows of one name are the faces of one picture, which are different people: they are never pooled.

    Args:
        word: ``store.vvt::NAME``, the name of a picture as it was given to `visavis embed`; ``store.vvt::NAME#2`` is
            the second row of that name, failed ones counted, where no row is called ``NAME#2`` itself.

    Raises:
        InputError: The file is none, or damaged.
        UsageError: It holds no such name, no names, or several rows of that name.
        NoFaceError: The row failed.
    """
    mark = _MARK.search(word)
    if mark is None:
        raise UsageError(f"a stored template is NAME{SUFFIX}::PICTURE; got {printable(word)}")
    path, name = Path(word[: mark.end() - len("::")]), word[mark.end() :]
    templates = read_compact(path)
    found = templates[[_row(path, templates.names or (), name)]].decoded()
    failure = found.status.failures[0]
    if failure is not None:
        raise NoFaceError(f"{printable(word)}: {failure.message}", reason=failure.reason)
    return found


def _row(path: Path, names: tuple[str, ...], name: str) -> int:
    """The only row of a name, or the one that is numbered."""
    rows = _rows(names, name)
    numbered = _NUMBERED.fullmatch(name)
    if not rows and numbered is not None and (of_name := _rows(names, numbered[1])):
        number = int(numbered[2])
        if not 1 <= number <= len(of_name):
            raise UsageError(
                f"{path} holds {len(of_name)} rows named {printable(numbered[1])}, #1 to #{len(of_name)}; got #{number}"
            )
        return of_name[number - 1]
    if not rows:
        near = get_close_matches(name, names, n=3) or sorted(set(names))[:3]
        told = f"; there are {', '.join(map(printable, near))} ..." if names else "; it holds no names at all"
        raise UsageError(f"{path} holds no template named {printable(name)}{told}")
    if len(rows) > 1:
        raise UsageError(
            f"{path} holds {len(rows)} rows named {printable(name)}, one a face of that picture: name one, "
            f"{printable(name)}#1 to #{len(rows)}, in the order of the file, or embed with --which central"
        )
    return rows[0]


def _rows(names: tuple[str, ...], name: str) -> list[int]:
    return [row for row, known in enumerate(names) if known == name]
