"""DeepFace's datastore: the pickle that `DeepFace.find` leaves in a folder of pictures, ``ds_model_*.pkl``.

Checked against DeepFace 0.0.100 (``deepface/modules/recognition.py``): a list of dictionaries ``identity`` (path of
the picture), ``hash`` (of its size and times), ``embedding`` (a list of numbers, or None where no face was found),
``target_x``, ``target_y``, ``target_w``, ``target_h`` (whole pixels). It names no classes, so none is allowed here.
Galleries of `DeepFace.register` live in a database server and have no file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.exchange.embeddings import Embeddings, PersonRule, checked_embeddings, wrong
from visavis.gallery.exchange.person_of import people_of_pictures
from visavis.io.archive_bytes import growth_limit
from visavis.io.files import read_file
from visavis.io.limits import Limits
from visavis.io.pickles import restricted_load

_MOST_BYTES = 1 << 32
_BOX = ("target_x", "target_y", "target_w", "target_h")
_KEYS = ("identity", "embedding", *_BOX)


def read_deepface_embeddings(path: str | Path, *, person: PersonRule | None = None) -> Embeddings:
    """The embeddings of a DeepFace datastore; the folder of a picture is its person.

    Args:
        path: The file, ``ds_model_MODEL_detector_DETECTOR_..._.pkl``.
        person: How the name of a picture names a person; see `people_of_pictures`.

    Raises:
        UnreadableError: The file cannot be read.
        InputError: ``pickle.refused`` or ``pickle.damaged``; ``exchange.vectors``: it is no such list, or a row cannot
            be used.
        UsageError: A choice is needed; see `people_of_pictures`.
    """
    where = os.fspath(path)
    data = read_file(path, Limits(max_bytes=_MOST_BYTES))
    rows = restricted_load(data, {}, name=where)
    if not isinstance(rows, list):
        raise wrong(where, f"holds a {type(rows).__name__}; a datastore of DeepFace is a list")
    numbers = [number for number, row in enumerate(rows) if _checked(where, number, row)["embedding"] is not None]
    kept = [rows[number] for number in numbers]
    if not kept:
        raise wrong(where, f"holds no faces in {len(rows)} rows")
    pictures = [row["identity"] for row in kept]
    lost = len(rows) - len(kept)
    return checked_embeddings(
        where,
        people=people_of_pictures(where, pictures, person, np.array(numbers)),
        vectors=_vectors(where, [row["embedding"] for row in kept], numbers, most=growth_limit(len(data))),
        sources=pictures,
        boxes=np.array([_box(row) for row in kept], np.float32),
        numbers=np.array(numbers),
        notes=[f"{lost} pictures without a face were left out"] if lost else [],
    )


def _checked(where: str, number: int, row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise wrong(
            where,
            f"holds a {type(row).__name__} in row {number} (counted from 0); DeepFace since 0.0.84 keeps dictionaries: "
            "let it make the datastore again",
        )
    missing = [key for key in _KEYS if key not in row]
    if missing:
        raise wrong(where, f"has no {', '.join(missing)} in row {number} (counted from 0)")
    if not isinstance(row["identity"], str) or not row["identity"]:
        raise wrong(where, f"names no picture in row {number} (counted from 0)")
    if not all(_is_number(row[key]) for key in _BOX):
        raise wrong(where, f"has a box that is no numbers in row {number} (counted from 0)")
    return row


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


def _are_numbers(values: list[Any]) -> bool:
    return all(type(value) in (int, float) for value in values)


def _box(row: dict[str, Any]) -> tuple[float, float, float, float]:
    x, y, width, height = (float(row[key]) for key in _BOX)
    return x, y, x + width, y + height


def _vectors(where: str, rows: list[Any], numbers: list[int], *, most: int) -> NDArray[np.float32]:
    """The embeddings as an array of at most so many bytes: a pickle can name one list a million times."""
    length = len(rows[0]) if isinstance(rows[0], list) else 0
    if 4 * length * len(rows) > most:
        raise wrong(where, f"names {len(rows)} embeddings of {length} numbers, too many for a file of its size")
    sound: dict[int, NDArray[np.float32]] = {}
    try:
        for number, row in zip(numbers, rows, strict=True):
            if id(row) in sound:
                continue
            if not isinstance(row, list) or not length or len(row) != length or not _are_numbers(row):
                raise wrong(
                    where,
                    f"has an embedding that is no list of {length or 'any'} numbers in row {number} (counted from 0)",
                )
            sound[id(row)] = np.array(row, np.float32)
        return np.stack([sound[id(row)] for row in rows])
    except OverflowError as error:
        raise wrong(where, f"has numbers that are too large ({error})") from error
