"""Pair lists as CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence

import numpy as np

from visavis.errors import InputError
from visavis.protocols._folders import people_of_paths
from visavis.protocols.pair_list import PairList

_COLUMNS = ("image1", "image2", "same", "fold", "person1", "person2")
_SAME = {"0": False, "1": True, "false": False, "true": True}


def parse_csv(path: str, lines: list[str]) -> PairList:
    """The pairs of a CSV file, see `read_pairs`.

    Raises:
        InputError: A malformed header or line, or people that contradict ``same``.
    """
    numbers, rows = _rows(path, lines)
    header = _header(path, numbers[0], rows[0])
    numbers, rows = numbers[1:], rows[1:]
    for number, fields in zip(numbers, rows, strict=True):
        _check(path, number, fields, header)
    if not rows:
        raise InputError(f"{path}: the list holds no pair, only a header", reason="pairs")
    column = {name: tuple(fields[at] for fields in rows) for at, name in enumerate(header)}
    same = [_SAME[value.lower()] for value in column["same"]]
    person1, person2 = _people(path, column)
    for number, mated, one, two in zip(numbers, same, person1, person2, strict=True):
        if mated != (one == two):
            raise InputError(
                f"{path}, line {number}: same is {int(mated)}, but the people are {one!r} and {two!r}{_source(header)}",
                reason="pairs",
            )
    return PairList(
        image1=column["image1"],
        image2=column["image2"],
        same=np.array(same),
        fold=np.array([int(value) for value in column["fold"]]) if "fold" in column else None,
        person1=person1,
        person2=person2,
    )


def _rows(path: str, lines: list[str]) -> tuple[list[int], list[list[str]]]:
    reader = csv.reader((line + "\n" for line in lines), strict=True)
    numbers, rows = [], []
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                numbers.append(reader.line_num)
                rows.append([field.strip() for field in fields])
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not CSV ({error})", reason="pairs") from error
    return numbers, rows


def _header(path: str, number: int, fields: list[str]) -> list[str]:
    header = [field.lower() for field in fields]
    unknown = [name for name in header if name not in _COLUMNS]
    missing = [name for name in _COLUMNS[:3] if name not in header]
    halved = ("person1" in header) != ("person2" in header)
    if unknown or missing or halved or len(set(header)) != len(header):
        raise InputError(
            f"{path}, line {number}: the header is image1,image2,same[,fold][,person1,person2]; got {','.join(fields)}",
            reason="pairs",
        )
    return header


def _check(path: str, number: int, fields: list[str], header: Sequence[str]) -> None:
    where = f"{path}, line {number}"
    if len(fields) != len(header):
        raise InputError(f"{where}: {len(header)} fields are expected; got {len(fields)}", reason="pairs")
    value = dict(zip(header, fields, strict=True))
    empty = [name for name in header if not value[name]]
    if empty:
        raise InputError(f"{where}: {empty[0]} is empty", reason="pairs")
    if value["same"].lower() not in _SAME:
        raise InputError(f"{where}: same is 0, 1, true or false; got {value['same']!r}", reason="pairs")
    if value["image1"] == value["image2"]:
        raise InputError(f"{where}: a pair needs two different pictures; got {value['image1']!r} twice", reason="pairs")
    if "fold" in value and not _is_fold(value["fold"]):
        raise InputError(
            f"{where}: fold is a whole number, or -1 for a pair outside all folds; got {value['fold']!r}",
            reason="pairs",
        )


def _is_fold(text: str) -> bool:
    return text == "-1" or (text.isascii() and text.isdecimal() and len(text) < 10)


def _people(path: str, column: dict[str, tuple[str, ...]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if "person1" in column:
        return column["person1"], column["person2"]
    found = people_of_paths({*column["image1"], *column["image2"]})
    if found is None:
        raise InputError(
            f"{path}, line 1: no folder of the pictures tells who is on them, and intervals are taken over people; "
            "add the columns person1,person2",
            reason="pairs",
        )
    return tuple(found[name] for name in column["image1"]), tuple(found[name] for name in column["image2"])


def _source(header: Sequence[str]) -> str:
    if "person1" in header:
        return ""
    return " (the first folder that differs between the pictures); if that is not the person, add person1,person2"
