"""LFW's pair text: counts, then mated and non-mated blocks."""

from __future__ import annotations

import numpy as np

from visavis.errors import InputError
from visavis.protocols.pair_list import PairList


def parse_lfw(path: str, lines: list[str]) -> PairList:
    """The pairs of ``pairs.txt`` (folds) or ``pairsDevTest.txt`` (no folds), see `read_pairs`.

    Raises:
        InputError: A malformed line, or another number of lines than the header announces.
    """
    filled = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    header, body = filled[0], filled[1:]
    counts = [int(field) for field in header[1].split()]
    if len(counts) not in (1, 2) or min(counts) < 1:
        raise _malformed(path, header[0], "the header is 'folds pairs' (10 300) or 'pairs' (500)", header[1])
    folds, size = counts if len(counts) == 2 else (1, counts[0])
    if len(body) != folds * size * 2:
        raise InputError(
            f"{path}, line {header[0]}: the header announces {folds} x 2 x {size} = {folds * size * 2} pairs, "
            f"but {len(body)} lines follow; is the file cut off?",
            reason="pairs",
        )
    row = np.arange(len(body))
    same = row // size % 2 == 0
    pairs = [_pair(path, number, line, mated) for (number, line), mated in zip(body, same.tolist(), strict=True)]
    return PairList(
        image1=tuple(_image(name, number) for name, number, _, _ in pairs),
        image2=tuple(_image(name, number) for _, _, name, number in pairs),
        same=same,
        fold=row // (2 * size) if len(counts) == 2 else None,
        person1=tuple(name for name, _, _, _ in pairs),
        person2=tuple(name for _, _, name, _ in pairs),
    )


def _pair(path: str, number: int, line: str, mated: bool) -> tuple[str, int, str, int]:
    fields = line.split("\t") if "\t" in line else line.split()
    expected = "name, number, number" if mated else "name, number, name, number"
    if len(fields) != (3 if mated else 4):
        kind = "mated" if mated else "non-mated"
        raise _malformed(path, number, f"a {kind} line is expected here: {expected}, separated by tabs", line)
    name1, digits1 = fields[0].strip(), fields[1].strip()
    name2, digits2 = (name1, fields[2].strip()) if mated else (fields[2].strip(), fields[3].strip())
    for digits in (digits1, digits2):
        if not (digits.isascii() and digits.isdecimal() and int(digits) > 0):
            raise _malformed(path, number, f"{expected}, with numbers from 1", line)
    if not name1 or not name2 or mated != (name1 == name2):
        raise _malformed(path, number, "a non-mated line names two different people", line)
    if mated and int(digits1) == int(digits2):
        raise _malformed(path, number, "a pair needs two different pictures", line)
    return name1, int(digits1), name2, int(digits2)


def _image(name: str, number: int) -> str:
    return f"{name}/{name}_{number:04d}.jpg"


def _malformed(path: str, number: int, expected: str, line: str) -> InputError:
    return InputError(f"{path}, line {number}: {expected}; got {line[:80]!r}", reason="pairs")
