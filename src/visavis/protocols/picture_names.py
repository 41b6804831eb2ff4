"""Lists of pictures below a folder, and the lists of noise that were published for them."""

from __future__ import annotations

from pathlib import Path

from visavis.errors import InputError, UnreadableError
from visavis.io.files import read_file
from visavis.io.limits import Limits

_LIMITS = Limits(max_bytes=1 << 30)


def read_names(path: str | Path, *, parts: int, reason: str = "protocol") -> list[str]:
    """The names of a list, a line each; blank lines and lines that begin with ``#`` are left out.

    Of a line with tabs the second field counts (``megaface_noises.txt`` has such); of a path its last parts.

    Args:
        path: UTF-8 text.
        parts: How many of the last parts of a path make a name.
        reason: Slug of the errors.

    Raises:
        UnreadableError: The list cannot be read.
        InputError: It is not text, or a line has fewer parts.
    """
    try:
        lines = read_file(path, _LIMITS).decode("utf-8-sig").splitlines()
    except UnreadableError as error:
        raise UnreadableError(f"cannot read the list {error.message}", reason=error.reason) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start})", reason=reason) from error
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.strip().split("\t")
        name = fields[min(1, len(fields) - 1)].strip().replace("\\", "/")
        pieces = name.split("/")
        if len(pieces) < parts:
            raise InputError(
                f"{path}, line {number}: {name[:80]!r} has {len(pieces)} of the {parts} parts of a name; is it another "
                "list?",
                reason=reason,
            )
        found.append("/".join(pieces[-parts:]))
    return found
