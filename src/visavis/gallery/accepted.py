"""What a gallery accepts from outside: ids, names, reasons and metadata."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from visavis.errors import InputError, UsageError
from visavis.io._unreadable import printable

LONGEST_ID = 200
LARGEST_METADATA = 64 * 1024
DEEPEST_METADATA = 32
_LONGEST_TEXT = 1000
_LONGEST_SOURCE = 4096
_HIDDEN = ("Cc", "Cs", "Zl", "Zp")
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE = frozenset(
    "\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2060\u2061\u2062\u2063\u2064\u3164\ufeff\uffa0"
)
_JOINERS = frozenset("\u200c\u200d")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_id(person: str) -> str:
    """An id that can be shown on one line and written anywhere.

    Any script and emoji will do. Control characters, line breaks, characters that turn the direction of what follows,
    invisible ones, blanks at the ends, and halves of characters (names of files that are not UTF-8) are refused: they
    can make one id look like another. Joiners are taken between characters that are not ASCII, as scripts and emoji
    need them.

    Raises:
        InputError: ``gallery.person-id``.
    """
    if not isinstance(person, str):
        raise UsageError(f"the id of a person is text; got {type(person).__name__}")
    if not person.strip() or len(person) > LONGEST_ID:
        raise InputError(
            f"the id of a person is 1 to {LONGEST_ID} characters, not blanks alone; got {len(person)}: "
            f"{printable(person)!r}",
            reason="gallery.person-id",
        )
    if person != person.strip():
        raise InputError(
            f"the id {printable(person)!r} begins or ends with a blank; rename the person", reason="gallery.person-id"
        )
    if bad := _first_hidden(person) or _first_invisible(person):
        raise InputError(
            f"the id {printable(person)!r} holds {bad}, which cannot be shown; rename the person",
            reason="gallery.person-id",
        )
    return person


def one_form(person: str) -> str:
    """An id in the composed form of Unicode (NFC): file systems and editors write the same letters in two forms."""
    return unicodedata.normalize("NFC", person)


def check_text(text: str | None, what: str) -> str | None:
    """A name or a reason: up to 1,000 characters that can be shown on one line; None passes.

    Raises:
        InputError: ``gallery.text``.
    """
    if text is None:
        return None
    if not text.strip() or len(text) > _LONGEST_TEXT or _first_hidden(text):
        raise InputError(
            f"the {what} is 1 to {_LONGEST_TEXT} characters that can be shown on one line; got {len(text)}: "
            f"{printable(text)!r}",
            reason="gallery.text",
        )
    return text


def check_reason(reason: str) -> str:
    """Why something is corrected: the same as a name, and needed.

    Raises:
        InputError: ``gallery.text``.
    """
    if not isinstance(reason, str):
        raise UsageError(f"a reason is text; got {type(reason).__name__}")
    return check_text(reason, "reason") or reason


def check_metadata(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """Metadata that JSON can hold: at most 64 KiB and 32 levels, without NaN. None is none.

    Raises:
        InputError: ``gallery.metadata``.
    """
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise UsageError(f"metadata is a mapping from names to JSON; got {type(metadata).__name__}")
    _check_parts(metadata)
    try:
        text = json.dumps(dict(metadata), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise _unfit(f"it is no JSON ({error})") from error
    if len(text) > LARGEST_METADATA:
        raise _unfit(f"it is {len(text)} bytes as JSON; the limit is {LARGEST_METADATA}")
    found: dict[str, Any] = json.loads(text)
    return found


def digest(name: str, value: Any) -> str:
    """By which an entry of metadata is looked up: equal for equal JSON; 1 and 1.0 are equal, 1 and true are not."""
    text = json.dumps([name, _whole(value)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _whole(value: Any) -> Any:
    """The same JSON with whole numbers written as such."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {name: _whole(part) for name, part in value.items()}
    return [_whole(part) for part in value] if isinstance(value, list | tuple) else value


def check_sha256(sha256: str) -> str:
    """The hash of a picture.

    Raises:
        UsageError: Not 64 hexadecimal digits in lower case.
    """
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise UsageError(f"a sha256 is 64 hexadecimal digits in lower case; got {printable(str(sha256))!r}")
    return sha256


def storable_source(source: str) -> str:
    """The name of a picture as text that any database takes; the middle of one beyond 4,096 characters is cut.

    Bytes that are not UTF-8 and NUL are written as escapes.
    """
    text = source.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    half = _LONGEST_SOURCE // 2 - 2
    return text if len(text) <= _LONGEST_SOURCE else f"{text[:half]}...{text[-half:]}"


def _first_hidden(text: str) -> str | None:
    for letter in text:
        if unicodedata.category(letter) in _HIDDEN or letter in _TURNING:
            return f"U+{ord(letter):04X}"
    return None


def _first_invisible(text: str) -> str | None:
    for place, letter in enumerate(text):
        around = text[place - 1 : place] + text[place + 1 : place + 2]
        joins = letter in _JOINERS and len(around) == 2 and not any(one.isascii() for one in around)
        if letter in _INVISIBLE or (letter in _JOINERS and not joins):
            return f"U+{ord(letter):04X}"
    return None


def _check_parts(value: Any) -> None:
    """Without recursion: what is looked at may be built to break it."""
    level: list[Any] = [value]
    for _ in range(DEEPEST_METADATA + 1):
        below: list[Any] = []
        for item in level:
            below.extend(_parts(item))
        if not below:
            return
        if len(below) > LARGEST_METADATA:
            raise _unfit(f"it has more than {LARGEST_METADATA} entries")
        level = below
    raise _unfit(f"it is deeper than {DEEPEST_METADATA} levels")


def _parts(item: Any) -> list[Any]:
    """What a list or mapping holds, names included."""
    if isinstance(item, Mapping):
        if not all(isinstance(name, str) for name in item):
            raise _unfit("a name in it is no text")
        return [*item, *item.values()]
    if isinstance(item, str) and "\0" in item:
        raise _unfit("it holds a NUL character")
    return list(item) if isinstance(item, list | tuple) else []


def _unfit(why: str) -> InputError:
    return InputError(
        f"this metadata cannot be kept: {why}; metadata is a mapping from text to JSON, at most {LARGEST_METADATA} "
        f"bytes and {DEEPEST_METADATA} levels",
        reason="gallery.metadata",
    )
