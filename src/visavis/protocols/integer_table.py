"""Text tables of whole numbers, hundreds of megabytes long."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.io.files import open_regular

_CHUNK = 1 << 22
_BEFORE_END = re.compile(rb"[ \t]+(?=[\r\n])")
_MOST_DIGITS = 9
_BLANK, _NEWLINE, _WRONG = 1, 2, 3
_CLASS = np.full(256, _WRONG, np.uint8)
_CLASS[ord("0") : ord("9") + 1] = 0
_CLASS[[ord(" "), ord("\t")]] = _BLANK
_CLASS[[ord("\n"), ord("\r")]] = _NEWLINE


def integer_blocks(path: str | Path, columns: int) -> Iterator[NDArray[np.int32]]:
    """The rows of a file of whole numbers between blanks or tabs, some megabytes at a time.

    Args:
        path: UTF-8 or ASCII text; each line holds ``columns`` numbers of at most 9 digits, from 0.
        columns: Numbers a line.

    Yields:
        int32 ``(B, columns)``.

    Raises:
        UnreadableError: The file cannot be read.
        InputError: A line holds something else; the message names the line.
    """
    descriptor = open_regular(os.fspath(path))
    with os.fdopen(descriptor, "rb") as file:
        rest, lines = b"", 0
        while data := file.read(_CHUNK):
            whole, newline, after = (rest + data).rpartition(b"\n")
            rest = after
            if newline:
                block = _parse(path, whole + newline, columns, lines)
                lines += whole.count(b"\n") + 1
                yield block
        if rest.strip():
            yield _parse(path, rest + b"\n", columns, lines)


def _parse(path: str | Path, data: bytes, columns: int, lines: int) -> NDArray[np.int32]:
    found = _numbers(data, columns)
    if isinstance(found, int):
        data = _BEFORE_END.sub(b"", data)
        found = _numbers(data, columns)
    if isinstance(found, int):
        raise _refusal(path, data, found, columns, lines)
    return found


def _numbers(data: bytes, columns: int) -> NDArray[np.int32] | int:
    """The rows, or the place of the first byte that does not fit; a blank before the end of a line does not."""
    letters = np.frombuffer(data, np.uint8)
    kinds = _CLASS[letters]
    wrong = np.flatnonzero(kinds == _WRONG)
    if wrong.size:
        return int(wrong[0])
    digit = np.empty(len(kinds) + 1, np.bool_)
    digit[0], digit[1:] = False, kinds == 0
    edges = np.flatnonzero(digit[1:] != digit[:-1])
    starts, ends = edges[::2], edges[1::2]
    lengths = ends - starts
    # Behind each number stands a blank, and behind the last of a line its end.
    behind = kinds[ends]
    whole = len(behind) - len(behind) % columns
    last = np.full(len(behind), _BLANK, np.uint8)
    last[columns - 1 :: columns] = _NEWLINE
    bad = np.flatnonzero((behind != last) | (lengths > _MOST_DIGITS))
    if bad.size or whole != len(behind):
        return int(starts[bad[0] if bad.size else -1])
    return _values(letters, ends, lengths).reshape(-1, columns)


def _values(letters: NDArray[np.uint8], ends: NDArray[np.intp], lengths: NDArray[np.intp]) -> NDArray[np.int32]:
    """The number that ends before each place, digit by digit from the last."""
    values = letters[ends - 1].astype(np.int32) - ord("0")
    power = 1
    for place in range(1, int(lengths.max(initial=1))):
        power *= 10
        longer = lengths > place
        found = letters[np.maximum(ends - 1 - place, 0)].astype(np.int32) - ord("0")
        values += np.where(longer, found * power, 0)
    return values


def _refusal(path: str | Path, data: bytes, place: int, columns: int, lines: int) -> InputError:
    start = data.rfind(b"\n", 0, place) + 1
    text = data[start : data.find(b"\n", place)].decode("utf-8", "replace").strip()
    line = lines + data.count(b"\n", 0, place) + 1
    return InputError(
        f"{path}, line {line}: expected {columns} whole numbers with a blank "
        f"between; got {text[:80]!r}; is the file cut or another one?",
        reason="protocol",
    )
