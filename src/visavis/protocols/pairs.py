"""Pair lists: which two pictures are compared, and whether they show one person."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError, UnreadableError, UsageError
from visavis.io.files import is_file, read_file

ACCEPTED = (
    "a pair list is LFW's pairs.txt (header '10<TAB>300', '500' or none; then 'Name 1 4' or 'Name 1 Other 2'), or a "
    "CSV with the header image1,image2,same[,fold][,person1,person2] and same as 0, 1, true or false"
)

_MOST_DIGITS = 18
_LONGEST = 200
_SAME = {"0": False, "1": True, "false": False, "true": True}


@dataclass(frozen=True, slots=True, eq=False)
class PairList:
    """Pairs of pictures, a row each.

    Attributes:
        image1: Path of the first picture, relative to the top folder of the set, with ``/``.
        image2: Path of the second picture.
        same: bool ``(P,)``: True where both show one person (mated).
        fold: int64 ``(P,)``, or None where the list has no folds.
        person1: Person of the first picture, or None where people are unknown.
        person2: Person of the second picture; None exactly when ``person1`` is.
    """

    image1: tuple[str, ...]
    image2: tuple[str, ...]
    same: NDArray[np.bool_]
    fold: NDArray[np.int64] | None = None
    person1: tuple[str, ...] | None = None
    person2: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        length = len(self.image1)
        object.__setattr__(self, "same", _column(self.same, np.bool_))
        if self.fold is not None:
            object.__setattr__(self, "fold", _column(self.fold, np.int64))
        columns = (self.image1, self.image2, self.same, self.fold, self.person1, self.person2)
        sizes = {len(column) for column in columns if column is not None}
        if sizes != {length} or length == 0:
            raise UsageError(f"the columns of a PairList must have one length, at least 1; got lengths {sorted(sizes)}")
        if (self.person1 is None) != (self.person2 is None):
            raise UsageError("a PairList names both people of a pair or neither; got one person column")
        row = _contradiction(self.same, self.person1, self.person2)
        if row is not None:
            raise UsageError(f"row {row} of the PairList contradicts itself: {_described(self, row)}")

    @property
    def images(self) -> tuple[str, ...]:
        """The distinct pictures, in the order in which they first occur."""
        return tuple(dict.fromkeys(image for pair in zip(self.image1, self.image2, strict=True) for image in pair))

    @property
    def people(self) -> tuple[str, ...]:
        """The distinct people, sorted; empty where they are unknown."""
        return tuple(sorted({*(self.person1 or ()), *(self.person2 or ())}))

    @property
    def self_pairs(self) -> int:
        """Number of rows that compare a picture with itself."""
        return sum(one == two for one, two in zip(self.image1, self.image2, strict=True))

    def positions(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The places of both pictures of each pair in `images`, intp ``(P,)`` each."""
        place = {image: row for row, image in enumerate(self.images)}
        return (
            np.array([place[image] for image in self.image1], dtype=np.intp),
            np.array([place[image] for image in self.image2], dtype=np.intp),
        )

    def __len__(self) -> int:
        return len(self.image1)


def read_pairs(path: str | Path, *, suffix: str = ".jpg") -> PairList:
    """Read a pair list: LFW's ``pairs.txt`` format, or CSV.

    A file whose first line has a comma is CSV. In LFW format the picture ``Name 4`` is
    ``Name/Name_0004.jpg`` and its person is the folder; a header of two numbers gives folds 1..k of n
    mated and n non-mated pairs, a header of one number or no header gives none.

    In CSV, columns may come in any order and unknown ones are ignored. People are the columns
    ``person1, person2`` where given. Otherwise the person of a path is the first folder below the top
    that all paths share (``001/frontal/05.jpg`` -> ``001``); where a path has no such folder, or where
    these names contradict ``same`` in any row (folders that are not people), people are unknown (None).

    Args:
        path: The list; UTF-8, a byte order mark is fine.
        suffix: File name ending of pictures in LFW format.

    Raises:
        UnreadableError: The file is missing, not readable or not UTF-8.
        InputError: A line does not fit; the message names the line.
    """
    lines = _lines(Path(path))
    head = next((line for line in lines if line.strip()), "")
    if not head:
        raise InputError(f"{path} is empty; {ACCEPTED}", reason="pairs")
    return _read_csv(path, lines) if "," in head else _read_lfw(path, lines, suffix)


def _lines(path: Path) -> list[str]:
    try:
        size = path.stat().st_size if is_file(path) else 1
        return read_file(path).decode("utf-8-sig").splitlines(keepends=True) if size else []
    except UnreadableError as error:
        raise UnreadableError(f"cannot read the pair list {error.message}", reason=error.reason) from error
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path} is not UTF-8 text (byte {error.start}); {ACCEPTED}") from error


def _wrong(path: str | Path, line: int, what: str) -> InputError:
    short = what if len(what) <= _LONGEST else f"{what[:_LONGEST]}..."
    return InputError(f"{path}, line {line}: {short}; {ACCEPTED}", reason="pairs")


def _read_lfw(path: str | Path, lines: Sequence[str], suffix: str) -> PairList:
    rows = [(number, line.split()) for number, line in enumerate(lines, start=1) if line.strip()]
    header = rows[0][1] if len(rows[0][1]) <= 2 else []
    if not all(_is_number(field) and int(field) > 0 for field in header):
        raise _wrong(path, rows[0][0], f"'{' '.join(header)}' is not a header of one or two positive numbers")
    body = rows[1:] if header else rows
    pairs = [_lfw_pair(path, number, fields, suffix) for number, fields in body]
    same = np.array([pair[2] for pair in pairs], dtype=np.bool_)
    if header:
        _check_lfw_counts(path, [int(field) for field in header], body, same)
    fold = np.arange(len(pairs), dtype=np.int64) // (2 * int(header[1])) + 1 if len(header) == 2 else None
    if not pairs:
        raise _wrong(path, rows[0][0], "there is no pair below the header")
    image1, image2 = tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
    return PairList(
        image1,
        image2,
        same,
        fold,
        tuple(image.split("/")[0] for image in image1),
        tuple(image.split("/")[0] for image in image2),
    )


def _lfw_pair(path: str | Path, number: int, fields: list[str], suffix: str) -> tuple[str, str, bool]:
    if len(fields) not in (3, 4):
        raise _wrong(path, number, f"expected 3 fields (one person) or 4 (two people), got {len(fields)}")
    mated = len(fields) == 3
    name1, index1, name2, index2 = (fields[0], fields[1], fields[0], fields[2]) if mated else fields
    for index in (index1, index2):
        if not _is_number(index):
            raise _wrong(path, number, f"'{index[:40]}' is not the number of a picture")
    if not mated and name1 == name2:
        raise _wrong(path, number, f"a pair of two people names '{name1}' twice")
    return (
        f"{name1}/{name1}_{int(index1):04d}{suffix}",
        f"{name2}/{name2}_{int(index2):04d}{suffix}",
        mated,
    )


def _check_lfw_counts(
    path: str | Path, header: list[int], body: Sequence[tuple[int, list[str]]], same: NDArray[np.bool_]
) -> None:
    """Raise unless the body holds, for each fold, n mated and then n non-mated pairs."""
    folds, size = header if len(header) == 2 else (1, header[0])
    if len(body) != 2 * folds * size:
        last = body[-1][0] if body else 1
        raise _wrong(path, last, f"the header promises {2 * folds * size} pairs and the file holds {len(body)}")
    expected = np.tile(np.repeat([True, False], size), folds)
    for (number, _), have, want in zip(body, same, expected, strict=False):
        if have != want:
            kind = "one person (3 fields)" if want else "two people (4 fields)"
            raise _wrong(path, number, f"by the header, {size} + {size} pairs a fold, this is a pair of {kind}")


def _is_number(text: str) -> bool:
    """Whether a field is a plain whole number that fits any column."""
    return text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS


def _read_csv(path: str | Path, lines: Sequence[str]) -> PairList:
    reader = csv.reader(io.StringIO("".join(lines), newline=""), strict=True)
    rows = list(_csv_rows(path, reader))
    if not rows:
        raise _wrong(path, 1, "the header lacks image1, image2, same")
    header = [field.strip().lower() for field in rows[0][1]]
    place = {name: header.index(name) for name in _csv_columns(path, rows[0][0], header)}
    image1, image2, same, fold, person1, person2 = [], [], [], [], [], []
    for number, fields in rows[1:]:
        if len(fields) != len(header):
            raise _wrong(path, number, f"expected {len(header)} fields as in the header, got {len(fields)}")
        row = {name: fields[at].strip() for name, at in place.items()}
        for name, value in row.items():
            if not value:
                raise _wrong(path, number, f"the field '{name}' is empty")
        if row["same"].lower() not in _SAME:
            raise _wrong(path, number, f"same is '{row['same']}'")
        image1.append(_posix(row["image1"]))
        image2.append(_posix(row["image2"]))
        same.append(_SAME[row["same"].lower()])
        fold.append(_fold(path, number, row.get("fold", "0")))
        person1.append(row.get("person1", ""))
        person2.append(row.get("person2", ""))
    if not image1:
        raise _wrong(path, rows[0][0], "there is no pair below the header")
    pairs = PairList(tuple(image1), tuple(image2), np.array(same), np.array(fold) if "fold" in place else None)
    if "person1" not in place:
        return _with_folder_people(pairs)
    row_number = _contradiction(pairs.same, person1, person2)
    if row_number is not None:
        same_text = "1" if same[row_number] else "0"
        raise _wrong(
            path,
            rows[row_number + 1][0],
            f"same is {same_text} but the people are '{person1[row_number]}' and '{person2[row_number]}'",
        )
    return replace(pairs, person1=tuple(person1), person2=tuple(person2))


def _csv_rows(path: str | Path, reader: Any) -> Iterator[tuple[int, list[str]]]:
    """The rows that hold something, with the line they end on."""
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                yield reader.line_num, fields
    except csv.Error as error:
        raise _wrong(path, reader.line_num, f"not valid CSV ({error})") from error


def _csv_columns(path: str | Path, number: int, header: list[str]) -> list[str]:
    """The columns to read, or an error that says what the header lacks."""
    missing = [name for name in ("image1", "image2", "same") if name not in header]
    if missing:
        raise _wrong(path, number, f"the header lacks {', '.join(missing)}")
    if ("person1" in header) != ("person2" in header):
        raise _wrong(path, number, "the header names one of person1 and person2; both or neither")
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise _wrong(path, number, f"the header names {', '.join(doubled)} twice")
    return [name for name in ("image1", "image2", "same", "fold", "person1", "person2") if name in header]


def _fold(path: str | Path, number: int, text: str) -> int:
    if not _is_number(text):
        raise _wrong(path, number, f"fold is '{text}', not a whole number from 0")
    return int(text)


def _posix(text: str) -> str:
    return str(PurePosixPath(text.replace("\\", "/")))


def _with_folder_people(pairs: PairList) -> PairList:
    """People from the first folder below the common top, where every row agrees with ``same``."""
    folders = {image: PurePosixPath(image).parts[:-1] for image in pairs.images}
    depth, levels = 0, list(zip(*folders.values(), strict=False))
    while depth < len(levels) and len(set(levels[depth])) == 1:
        depth += 1
    if any(len(parts) <= depth for parts in folders.values()):
        return pairs
    person1 = tuple(folders[image][depth] for image in pairs.image1)
    person2 = tuple(folders[image][depth] for image in pairs.image2)
    if _contradiction(pairs.same, person1, person2) is not None:
        return pairs
    return replace(pairs, person1=person1, person2=person2)


def _contradiction(same: NDArray[np.bool_], person1: Sequence[str] | None, person2: Sequence[str] | None) -> int | None:
    """The first row whose people do not agree with ``same``."""
    if person1 is None or person2 is None:
        return None
    pairs = zip(person1, person2, same.tolist(), strict=True)
    return next((row for row, (one, two, mated) in enumerate(pairs) if (one == two) != mated), None)


def _described(pairs: PairList, row: int) -> str:
    people = (pairs.person1 or ())[row : row + 1] + (pairs.person2 or ())[row : row + 1]
    return f"same is {bool(pairs.same[row])} and the people are {' and '.join(people)}"


def _column(value: Any, dtype: type[np.generic]) -> NDArray[Any]:
    array = np.array(value, dtype=dtype)
    if array.ndim != 1:
        raise UsageError(f"a column of a PairList has one dimension; got shape {array.shape}")
    array.setflags(write=False)
    return array
